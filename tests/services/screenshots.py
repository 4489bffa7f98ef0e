"""Makes pictures of a sweep's report and MLflow's pages, such as the README's.

    python -m tests.services.screenshots OUT                          # of made-up students
    python -m tests.services.screenshots OUT STORAGE NAME             # of a finished sweep whose MLflow is in STORAGE

Needs Chromium (on Debian: chromium fonts-dejavu-core). Each is a PNG of a few dozen kilobytes.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kdsearch.sweep import load
from kdsearch.tracking.links import charts_link
from kdsearch.tracking.links import run_link
from kdsearch.tracking.links import table_link
from kdsearch.tracking.views import view_id
from tests.services.browser import Site
from tests.services.browser import chromium
from tests.services.browser import new_page
from tests.services.browser import parent_id
from tests.services.browser import served
from tests.services.synthetic import SyntheticSweep
from tests.services.synthetic import make_sweep

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAME = "digits"
OVERRIDES = ("sample_counts=[20,50,100,200,400]", "trials_per_count=30", "confirm.top_k=2", "confirm.seeds=5")
SIZE = (1500, 1000)
WIDTH = 1000
"""Of the pictures, in pixels."""
COLORS = 128
DRAWING_MILLISECONDS = 3000
"""What the last chart on a page is given after the first is there."""
CHART = "[data-testid=experiment-view-compare-runs-card] .js-plotly-plot"


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.services.screenshots", description=__doc__)
    parser.add_argument("output", type=Path, metavar="OUT", help="folder to write to")
    parser.add_argument("storage", type=Path, nargs="?", metavar="STORAGE", help="of a finished sweep")
    parser.add_argument("name", nargs="?", default=NAME, metavar="NAME", help="of that sweep")
    parser.add_argument("--only", nargs="*", metavar="PICTURE", help="leave out the others")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    if options.storage is not None:
        _picture(_finished(options.storage, options.name), options.storage, options.output, options.only)
        return
    with tempfile.TemporaryDirectory(prefix="kdsearch-screenshots-") as folder:
        storage = Path(folder, "kdsearch-data")
        _picture(make_sweep(storage, NAME, *OVERRIDES), storage, options.output, options.only)


def _finished(storage: Path, name: str) -> SyntheticSweep:
    sweep = load(name, storage=str(storage))
    return SyntheticSweep(sweep.record, sweep.records, f"sqlite:///{storage}/mlflow.db")


def _picture(sweep: SyntheticSweep, storage: Path, output: Path, only: Sequence[str] | None) -> None:
    with served(sweep, storage) as site, chromium() as browser:
        for name, (link, there) in {**_report(sweep, storage), **_pages(site)}.items():
            if only and name not in only:
                continue
            with new_page(browser, *SIZE) as page:
                page.goto(link)
                page.locator(there).first.wait_for()
                if name == "mlflow-sweep":
                    page.get_by_text("Show more").click()
                page.wait_for_timeout(DRAWING_MILLISECONDS)
                _save(page, output / f"{name}.png")


def _report(sweep: SyntheticSweep, storage: Path) -> dict[str, tuple[str, str]]:
    """The page by itself."""
    folders = (storage / "sweeps" / sweep.record.name / "report", storage / "report")
    page = next(folder / "report.html" for folder in folders if folder.is_dir()).absolute().as_uri()
    drawn = "canvas.marks, svg.marks"
    return {"report": (page, drawn), "report-labels-saved": (f"{page}#figure-labels_saved", drawn)}


def _pages(site: Site) -> dict[str, tuple[str, str]]:
    """Address, and what is waited for, by the picture's name."""
    uid, parent = site.sweep.record.uid, parent_id(site)
    charts = {
        name: (charts_link(site.base, site.experiment_id, view_id(uid, name)), CHART)
        for name in ("all", "space", "controls", "curves", "n50")
    }
    tables = {
        name: (table_link(site.base, site.experiment_id, view_id(uid, name)), ".ag-center-cols-container [role=row]")
        for name in ("best", "confirmed")
    }
    pages = {
        **charts,
        **tables,
        "controls-table": (table_link(site.base, site.experiment_id, view_id(uid, "controls")), ".ag-row"),
        "sweep": (run_link(site.base, site.experiment_id, parent), "text=Show more"),
        "report": (run_link(site.base, site.experiment_id, parent, "report.html"), "iframe"),
    }
    return {f"mlflow-{name}": page for name, page in pages.items()}


def _save(page: Page, path: Path) -> None:
    from PIL import Image

    shot = Image.open(io.BytesIO(page.screenshot()))
    image = shot.resize((WIDTH, round(shot.height * WIDTH / shot.width)), Image.Resampling.LANCZOS)
    image.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}  {path.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main(sys.argv[1:])
