"""MLflow's pages of a sweep as its user finds them, in a real Chromium, at 120 and at 1,000 trials."""

from __future__ import annotations

import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.report import verdict
from kdsearch.tracking.color import sample_count_color
from kdsearch.tracking.links import charts_link
from kdsearch.tracking.links import run_link
from kdsearch.tracking.links import table_link
from kdsearch.tracking.views import sweep_views
from kdsearch.tracking.views import view_id
from tests.services.browser import PATIENCE
from tests.services.browser import Site
from tests.services.browser import chromium
from tests.services.browser import environment
from tests.services.browser import new_page
from tests.services.browser import parent_id
from tests.services.browser import served
from tests.services.browser import ui_command
from tests.services.synthetic import LARGE
from tests.services.synthetic import SMALL
from tests.services.synthetic import make_sweep

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Locator
    from playwright.sync_api import Page

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]
"""A sweep of 1,000 trials is made within the first test that looks at it."""

CARD = "[data-testid=experiment-view-compare-runs-card]"
POINT = ".js-plotly-plot .scatterlayer .point"
ROW = ".ag-center-cols-container [role=row]"
Chosen = Callable[[TrialRecord], bool]
Shows = Callable[[Sequence[float | None]], bool]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ui")


@pytest.fixture(scope="module")
def small(storage: Path) -> Iterator[Site]:
    with served(make_sweep(storage / "small", "small", *SMALL), storage / "small") as site:
        yield site


@pytest.fixture(scope="module")
def large(storage: Path) -> Iterator[Site]:
    with served(make_sweep(storage / "large", "large", *LARGE), storage / "large") as site:
        yield site


@pytest.fixture(params=["small", "large"])
def site(request: pytest.FixtureRequest) -> Site:
    chosen: Site = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with ExitStack() as stack:
        yield stack.enter_context(new_page(browser))


def test_the_link_lands_on_charts_with_every_finished_trial(site: Site, page: Page) -> None:
    page.goto(site.link)
    finished = [record for record in site.sweep.records if record.state is TrialState.COMPLETE]
    assert len(finished) == len(site.sweep.records) in (120, 1000)
    by_count, by_temperature, by_alpha, _ = cards(page, 4)
    wait_for_points(by_count, len(finished))
    assert "log10_sample_count" in by_count.inner_text()
    gained = [record for record in finished if record.kind is not Kind.CONFIRM]
    wait_for_points(by_alpha, len(gained))
    warm = [record for record in gained if "temperature" in record.recipe.hyperparameters]
    wait_for_points(by_temperature, len(warm))


def test_points_are_coloured_by_sample_count(small: Site, page: Page) -> None:
    page.goto(small.link)
    by_count = cards(page, 4)[0]
    wait_for_points(by_count, len(small.sweep.records))
    fills = by_count.locator(POINT).evaluate_all("points => points.map(point => getComputedStyle(point).fill)")
    counts = small.sweep.record.config["sample_counts"]
    expected = Counter(rgb(sample_count_color(record.sample_count, counts)) for record in small.sweep.records)
    assert Counter(fills) == expected and len(expected) == len(counts)


def test_every_view_is_in_the_menu(small: Site, page: Page) -> None:
    page.goto(small.link)
    page.get_by_test_id("saved-views-trigger").click()
    sweep = small.sweep.record
    for view in sweep_views(sweep, "val_accuracy", sweep.config["sample_counts"]):
        entry = page.get_by_test_id(f"saved-views-item-{view.id}")
        entry.wait_for()
        assert view.name in entry.inner_text()


VIEWS: dict[str, Chosen] = {
    "best": lambda record: record.kind is Kind.SEARCH,
    "space": lambda record: record.kind is Kind.SEARCH,
    "controls": lambda record: record.kind is not Kind.CONFIRM,
    "curves": lambda record: record.kind is not Kind.CONFIRM,
    "confirmed": lambda record: record.kind is Kind.CONFIRM,
    "n50": lambda record: record.kind is not Kind.CONFIRM and record.sample_count == 50,
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_filters_and_draws(name: str, small: Site, page: Page) -> None:
    chosen = [record for record in small.sweep.records if VIEWS[name](record)]
    page.goto(charts_link(small.base, small.experiment_id, view_id(small.sweep.record.uid, name)))
    page.get_by_text(f"{len(chosen)} matching runs").wait_for()
    if name != "best":
        card = page.locator(CARD).first
        card.locator(".js-plotly-plot .point, .js-plotly-plot .bars path, canvas, svg path").first.wait_for()


def test_the_view_of_one_count_draws_all_of_its_trials_at_any_size(large: Site, page: Page) -> None:
    page.goto(charts_link(large.base, large.experiment_id, view_id(large.sweep.record.uid, "n50")))
    chosen = [record for record in large.sweep.records if VIEWS["n50"](record)]
    by_alpha = cards(page, 4)[1]
    wait_for_points(by_alpha, len(chosen))
    assert len(chosen) > 100, "more than MLflow asks for"


def test_controls_stand_against_the_best_one_row_each(small: Site, page: Page) -> None:
    page.goto(table_link(small.base, small.experiment_id, view_id(small.sweep.record.uid, "controls")))
    counts, controls = small.sweep.record.config["sample_counts"], ["searched", "labels", "label_smoothing", "kl_t1"]
    wait_for_rows(page, len(counts) * len(controls))
    best = {
        round(max(r.metrics["val_accuracy"] for r in small.sweep.records if is_searched(r, count)), 4)
        for count in counts
    }
    wait_for_cells(page, "metrics.`val_accuracy`", lambda shown: best <= set(shown))


def test_the_best_table_is_sorted_by_accuracy(site: Site, page: Page) -> None:
    from playwright.sync_api import expect

    page.goto(table_link(site.base, site.experiment_id, view_id(site.sweep.record.uid, "best")))
    searched = sorted((r.metrics["val_accuracy"] for r in site.sweep.records if r.kind is Kind.SEARCH), reverse=True)
    expected = [round(value, 4) for value in searched]

    def is_sorted(shown: Sequence[float | None]) -> bool:
        return len(shown) >= 20 and list(shown) == expected[: len(shown)]

    wait_for_cells(page, "metrics.`val_accuracy`", is_sorted)
    page.get_by_test_id("sort-header-val_accuracy").click()
    lowest = page.locator("[row-index='0'] [col-id='metrics.`val_accuracy`']")
    expect(lowest).to_have_text(str(expected[-1]))


def test_the_sweeps_run_names_the_samples_of_its_search(small: Site, page: Page) -> None:
    page.goto(run_link(small.base, small.experiment_id, parent_id(small)))
    # The first of them; MLflow shows the others behind it.
    page.get_by_text(re.compile(r"digits-n\d+ \(")).first.wait_for()


def test_the_sweeps_run_shows_verdict_and_images(small: Site, page: Page) -> None:
    page.goto(run_link(small.base, small.experiment_id, parent_id(small)))
    said = verdict(small.sweep.record, small.sweep.records)
    page.get_by_text(said).wait_for()
    for name in ("report", "all finished trials", "best trials", "controls against best", "n=50"):
        page.get_by_role("link", name=name, exact=True).wait_for()
    page.get_by_text("Show more").click()
    images = page.locator("img[src*=get-artifact]")
    images.first.scroll_into_view_if_needed()
    page.wait_for_function("""() => {
        const images = [...document.querySelectorAll('img[src*=get-artifact]')]
        return images.length >= 3 && images.every(image => image.naturalWidth > 300)
    }""")
    page.get_by_role("cell", name=re.compile("≈|>")).first.wait_for()  # the table of sample counts


def test_a_link_in_the_description_lands_where_it_says(small: Site, page: Page) -> None:
    page.goto(run_link(small.base, small.experiment_id, parent_id(small)))
    page.get_by_text("Show more").click()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="all finished trials", exact=True).click()
    wait_for_points(opened.value.locator(CARD).first, len(small.sweep.records))


def test_the_report_has_live_plots_inside_mlflow(small: Site, page: Page) -> None:
    page.goto(run_link(small.base, small.experiment_id, parent_id(small), "report.html"))
    frame = page.frame_locator("iframe[src^=blob]")
    frame.locator("canvas.marks, svg.marks").nth(3).wait_for(state="attached")


def test_twenty_runs_are_compared(site: Site, page: Page) -> None:
    page.goto(table_link(site.base, site.experiment_id, view_id(site.sweep.record.uid, "best")))
    ticks = page.locator(".ag-pinned-left-cols-container input.ag-checkbox-input, .ag-row input.ag-checkbox-input")
    ticks.nth(19).wait_for(state="attached")
    for place in range(20):
        ticks.nth(place).check(force=True)
    page.get_by_test_id("runs-compare-button").click()
    page.get_by_text("Comparing 20 Runs from 1 Experiment").wait_for()
    page.locator(".js-plotly-plot").first.wait_for()


def test_a_second_command_finds_the_server(small: Site, storage: Path) -> None:
    port = int(small.base.rpartition(":")[2])
    command = ui_command(small.sweep, storage / "small", port)
    found = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, env=environment())
    assert found.stdout == f"{small.link}\n"


def cards(page: Page, count: int) -> list[Locator]:
    """The charts of a view, in its order."""
    page.locator(CARD).nth(count - 1).wait_for(state="attached")
    return page.locator(CARD).all()[:count]


def wait_for_points(card: Locator, count: int) -> None:
    """Wait until a chart has so many points, no fewer and no more."""
    from playwright.sync_api import expect

    card.scroll_into_view_if_needed()
    expect(card.locator(POINT)).to_have_count(count)


def wait_for_rows(page: Page, count: int) -> None:
    from playwright.sync_api import expect

    expect(page.locator(ROW)).to_have_count(count)


def wait_for_cells(page: Page, column: str, shows: Shows) -> None:
    """Wait until the numbers of a column's rows in sight, from the top, are as they should be; else say what they are.

    Rows come one after the other.
    """
    script = """cells => cells.map(cell => [+cell.closest('[role=row]').getAttribute('row-index'), cell.innerText])
                            .sort((one, other) => one[0] - other[0]).map(pair => pair[1])"""
    cells = page.locator(f'[role=gridcell][col-id="{column}"]')
    deadline = time.monotonic() + PATIENCE / 1000
    shown: list[float | None] = []
    while not shows(shown):
        assert time.monotonic() < deadline, f"{column}: {shown}"
        page.wait_for_timeout(200)
        shown = [_number(text) for text in cells.evaluate_all(script)]


def _number(text: str) -> float | None:
    """`0.9715` of `0.9715 (max)`; None of a cell that is still empty."""
    words = text.split()
    return float(words[0]) if words and words[0] != "-" else None


def is_searched(record: TrialRecord, count: int) -> bool:
    return record.kind is Kind.SEARCH and record.sample_count == count


def rgb(color: str) -> str:
    return f"rgb({', '.join(str(int(color[place : place + 2], 16)) for place in (1, 3, 5))})"
