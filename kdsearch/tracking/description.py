"""The description of a sweep's run: the verdict and where to look, then figures and the table of sample counts.

MLflow shows its first lines and hides the rest behind "Show more".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kdsearch.tracking.findings import Findings
from kdsearch.tracking.links import image_link
from kdsearch.tracking.links import run_link
from kdsearch.tracking.links import view_link
from kdsearch.tracking.markdown import escape
from kdsearch.tracking.views import View

LIMIT = 8000
"""Characters of a tag."""
MOST_IMAGES = 4
_FIRST = ("data_efficiency", "labels_saved", "temperature_alpha", "objectives")
"""The names of the most telling images."""
REPORT = "report.html"
PREVIEWS = "previews"
PREVIEW_WIDTH = 760
"""Pixels: MLflow cuts wider images off."""


def describe(
    findings: Findings, experiment_id: str, run_id: str, views: Sequence[View], artifacts: Path | None = None
) -> str:
    """Markdown of at most LIMIT characters; the table loses rows that do not fit. `artifacts` is what was logged."""
    links = [f"[{_title(view)}]({view_link('', experiment_id, view)})" for view in views]
    if artifacts is not None and (artifacts / REPORT).is_file():
        links.insert(0, f"[report]({run_link('', experiment_id, run_id, REPORT)})")
    # Two spaces end a line inside a paragraph, which keeps the links in sight.
    head = f"{findings.verdict}  \n{' · '.join(links)}"
    images = [
        f"![{escape(image.stem)}]({image_link(run_id, f'{PREVIEWS}/{image.name}')})" for image in _images(artifacts)
    ]
    parts = [head, *images]
    room = LIMIT - sum(len(part) + 2 for part in parts)
    return "\n\n".join([*parts, *_fitting(findings.table, room)])[:LIMIT]


def write_previews(artifacts: Path, folder: Path) -> bool:
    """Write the images of the description into `folder`/previews, as wide as it shows them; whether there are any."""
    from PIL import Image

    images = _images(artifacts)
    (folder / PREVIEWS).mkdir()
    for image in images:
        with Image.open(image) as picture:
            picture.thumbnail((PREVIEW_WIDTH, picture.height))
            picture.save(folder / PREVIEWS / image.name)
    return bool(images)


def _title(view: View) -> str:
    """`best trials` of `digits: best trials`: the page is the sweep's own."""
    return escape(view.name.rpartition(": ")[2])


def _images(artifacts: Path | None) -> list[Path]:
    found = sorted((artifacts / "plots").glob("*.png"), key=_telling) if artifacts is not None else []
    return found[:MOST_IMAGES]


def _telling(image: Path) -> tuple[int, str]:
    return _FIRST.index(image.stem) if image.stem in _FIRST else len(_FIRST), image.name


def _fitting(table: str, room: int) -> list[str]:
    lines = table.splitlines()
    while lines and len("\n".join(lines)) > room:
        lines.pop()
    return ["\n".join(lines)] if lines else []
