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
    """Which signal asked to stop, if any; `on_signal` is called in the signal handler, so it may only set things."""

    def __init__(self, on_signal: Callable[[], None]) -> None:
        self.received: signal.Signals | None = None
        self._on_signal = on_signal

    @property
    def exit_code(self) -> ExitCode | None:
        return EXIT_CODES[self.received] if self.received else None

    def install(self) -> None:
        """Take both signals over; to be called again after `ray.init`, whose own SIGTERM handler ends the process."""
        if threading.current_thread() is threading.main_thread():
            for number in EXIT_CODES:
                signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.note(signal.Signals(number))

    def note(self, number: signal.Signals) -> None:
        """Take a signal as received; the first one counts."""
        if self.received is None:
            self.received = number
            self._on_signal()


@contextlib.contextmanager
def handle_interrupts(on_signal: Callable[[], None]) -> Iterator[Interrupts]:
    """Handle both signals inside the block, and put the handlers back that were there."""
    before = {number: signal.getsignal(number) for number in EXIT_CODES}
    interrupts = Interrupts(on_signal)
    interrupts.install()
    try:
        yield interrupts
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)
