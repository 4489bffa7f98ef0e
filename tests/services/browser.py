"""MLflow's pages in a real Chromium. A page that asks for anything beyond this machine, or complains, is an error."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.services.servers import free_port
from tests.services.synthetic import SyntheticSweep

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import ConsoleMessage
    from playwright.sync_api import Page
    from playwright.sync_api import Request

CHROMIUM = "/usr/bin/chromium"
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WITHOUT_ASSISTANT = "try{localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1','true')}catch(e){}"
"""MLflow's Assistant opens itself over a quarter of the first page of a new browser."""
NOBODY = "/ajax-api/2.0/mlflow/users/current"
"""What each page asks, and a server without users answers with 404."""
LATE = "ResizeObserver loop completed with undelivered notifications"
"""The browser's word that a size is told in the next frame; MLflow passes it on as if it were an error."""
PATIENCE = 120_000
"""Milliseconds: a page of a thousand runs takes ten seconds, and several times that on a machine at work."""


@dataclass
class Complaints:
    """What is wrong with a page besides what it shows."""

    external: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        page.on("request", self._asked)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.console.append(str(error)))

    def check(self) -> None:
        assert not self.external, f"asked beyond this machine: {self.external}"
        assert not self.console, f"complained: {self.console}"

    def _asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("blob", "data", "file") and address.hostname != "127.0.0.1":
            self.external.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        is_harmless = message.location["url"].endswith(NOBODY) or LATE in message.text
        if message.type == "error" and not is_harmless:
            self.console.append(f"{message.text} ({message.location['url']})")


@contextmanager
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import expect
    from playwright.sync_api import sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def new_page(browser: Browser, width: int = 1500, height: int = 1000) -> Iterator[Page]:
    """A page of a browser that was never here, which has nothing to complain about when the block ends."""
    context = browser.new_context(viewport={"width": width, "height": height})
    try:
        context.add_init_script(WITHOUT_ASSISTANT)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        complaints = Complaints()
        complaints.follow(page)
        yield page
        complaints.check()
    finally:
        context.close()


@dataclass(frozen=True)
class Site:
    """A sweep as `kdsearch ui` serves it."""

    sweep: SyntheticSweep
    link: str
    """What the command printed."""

    @property
    def base(self) -> str:
        return self.link.partition("/#")[0]

    @property
    def experiment_id(self) -> str:
        match = re.search(r"/experiments/(\d+)/", self.link)
        assert match is not None
        return match[1]


def parent_id(site: Site) -> str:
    """The sweep's own run."""
    from mlflow.tracking import MlflowClient

    condition = f"tags.`kdsearch.kind` = 'sweep' and tags.`kdsearch.uid` = '{site.sweep.record.uid}'"
    (parent,) = MlflowClient(site.sweep.tracking_uri).search_runs([site.experiment_id], condition)
    return str(parent.info.run_id)


@contextmanager
def served(sweep: SyntheticSweep, storage: Path) -> Iterator[Site]:
    """`kdsearch ui NAME`, until the block ends."""
    port = free_port()
    process = subprocess.Popen(ui_command(sweep, storage, port), stdout=subprocess.PIPE, text=True, env=environment())
    try:
        assert process.stdout is not None
        yield Site(sweep, process.stdout.readline().strip())
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()


def ui_command(sweep: SyntheticSweep, storage: Path, port: int) -> list[str]:
    words = ["ui", sweep.record.name, f"storage={storage}", f"--port={port}", "--no-open"]
    return [sys.executable, "-m", "kdsearch", *words]


def environment() -> dict[str, str]:
    """The command's own settings are what is tested, so those of whoever runs the tests are left out."""
    return {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
