"""The page in a real browser: Chromium, without a network, and in a frame as sandboxed as MLflow's artifact viewer."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from kdsearch.report.write import write_report
from tests.report.samples import sample_records
from tests.report.samples import sample_sweep

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Frame

pytestmark = pytest.mark.services

VIEWER = """<!doctype html><meta charset="utf-8"><body style="margin:0"><script>
const frame = document.createElement("iframe");
frame.sandbox = "allow-scripts";
frame.style = "border:0;width:100%%;height:4000px";
frame.src = URL.createObjectURL(new Blob([%s], {type: "text/html"}));
document.body.append(frame);
</script>"""
DRAWN = """() => [...document.querySelectorAll(".chart")].map((chart) => {
  const svg = chart.querySelector("svg");
  return [chart.dataset.spec, svg ? svg.querySelectorAll("path, rect").length : 0, svg ? svg.clientWidth : 0];
})"""
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium is not None, "Chromium is not installed: apt-get install chromium"
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture(scope="module", params=[24, 3333], ids=["small", "10,000 trials"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    return write_report(sample_sweep(), sample_records(trials=request.param), folder).read_text()


@pytest.mark.parametrize("width", [480, 1200])
def test_figures_are_live_in_a_sandbox_without_a_network(
    browser: Browser, page: str, width: int, tmp_path: Path
) -> None:
    (tmp_path / "viewer.html").write_text(VIEWER % json.dumps(page).replace("</", "<\\/"))
    tab = browser.new_page(viewport={"width": width, "height": 2000})
    said: list[str] = []
    requests: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda sent: requests.append(sent.url))
    tab.goto((tmp_path / "viewer.html").as_uri())
    frame = tab.frames[1]
    frame.wait_for_function(
        "document.querySelectorAll('.chart svg').length === document.querySelectorAll('.chart').length"
    )
    drawn = frame.evaluate(DRAWN)
    assert [name for name, _, _ in drawn] == re.findall(r'data-spec="([\w-]+)"', page)
    for name, marks, drawn_width in drawn:
        assert marks > 10, name
        assert 300 < drawn_width <= width, name
    assert frame.evaluate(TOO_WIDE) <= 0  # tables scroll by themselves, the page does not
    _hover_says(frame, "spec-data_efficiency", "best recipe")
    frame.click("pre.copy button >> nth=0")
    assert "kdsearch distill" in str(frame.evaluate("() => getSelection().toString()"))
    tab.set_viewport_size({"width": 1680 - width, "height": 2000})  # the small multiples are put in other columns
    frame.wait_for_timeout(600)
    assert all(marks > 10 for _, marks, _ in frame.evaluate(DRAWN))
    assert said == []
    assert [url for url in requests if not url.startswith(("file:", "blob:"))] == []
    tab.close()


def _hover_says(frame: Frame, spec: str, words: str) -> None:
    point: Any = frame.locator(f'[data-spec="{spec}"] .mark-symbol.role-mark path').last
    point.hover(force=True)
    frame.wait_for_selector(f"#vg-tooltip-element.visible:has-text('{words}')")
