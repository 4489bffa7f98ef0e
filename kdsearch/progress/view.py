"""The progress view of an attempt: which kind fits the console, and that it can't hurt the sweep."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from rich.console import Console

from kdsearch.progress.lines import Lines
from kdsearch.progress.snapshot import ProgressSnapshot
from kdsearch.progress.terminal import LiveTable

_logger = logging.getLogger(__name__)


class View(Protocol):
    """One way of showing progress."""

    def start(self) -> None: ...

    def update(self, snapshot: ProgressSnapshot) -> None: ...

    def note(self, message: str) -> None: ...

    def stop(self) -> None: ...


class Progress:
    """Shows snapshots; cheap enough to be fed every trial's result, and never raises.

    Whatever goes wrong with the display (a closed pipe, a strange terminal) is logged and ends the display, not the
    sweep. Used as a context manager it starts and stops itself.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._is_broken = False

    def start(self) -> None:
        self._guarded(self._view.start)

    def update(self, snapshot: ProgressSnapshot) -> None:
        self._guarded(lambda: self._view.update(snapshot))

    def note(self, message: str) -> None:
        """Show one line, such as a warning, once."""
        self._guarded(lambda: self._view.note(message))

    def stop(self) -> None:
        """End the display; what it showed last stays on the screen."""
        self._guarded(self._view.stop)

    def __enter__(self) -> Progress:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _guarded(self, show: Callable[[], None]) -> None:
        if self._is_broken:
            return
        try:
            show()
        except Exception:
            self._is_broken = True
            _logger.warning("the progress display ended", exc_info=True)


def make_progress(console: Console) -> Progress:
    """A live table on a terminal, else plain lines."""
    return Progress(LiveTable(console) if console.is_terminal and not console.is_dumb_terminal else Lines(console))
