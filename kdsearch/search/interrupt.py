"""Ctrl-C and SIGTERM: the first asks the attempt to stop in good order, a second Ctrl-C ends at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable
from collections.abc import Iterator
from types import FrameType

from kdsearch.errors import ExitCode

EXIT_CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


class Interrupts:
    """Which signal asked to stop, if any. `on_signal` runs in a thread of its own, where it may use Ray."""

    def __init__(self, on_signal: Callable[[], None]) -> None:
        self.received: signal.Signals | None = None
        self._on_signal = on_signal

    @property
    def exit_code(self) -> ExitCode | None:
        return EXIT_CODES[self.received] if self.received else None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.received is None:
            self.received = signal.Signals(number)
            threading.Thread(target=self._on_signal, daemon=True, name="interrupt").start()


@contextlib.contextmanager
def handle_interrupts(on_signal: Callable[[], None]) -> Iterator[Interrupts]:
    """Handle both signals inside the block. To be entered after `ray.init`, whose own SIGTERM handler aborts."""
    interrupts = Interrupts(on_signal)
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    before = {number: signal.signal(number, interrupts._handle) for number in EXIT_CODES}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
