"""Waiting out a service that is away for a while: one warning when it goes, one when it is back, nothing dropped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from kdsearch.config.secrets import mask_url
from kdsearch.errors import KdsearchError

T = TypeVar("T")

LONGEST_PAUSE = 5.0
"""Seconds between two tries."""
STOPPING_SECONDS = 4.0
"""How long a call is still tried once the attempt is stopping: whoever interrupts does not wait for a server."""


class AwayError(KdsearchError, ConnectionError):
    """A service was away for longer than is waited, or it is no longer ours to write to."""


class Outage:
    """One service as an attempt sees it: it answers, or is away since some moment. Any thread may use it.

    `failure` says so once it has been away for longer than `patience` seconds. `on_warning` may be called from any
    thread; `while_waiting` is called between two tries, in the thread that made this object alone.
    """

    def __init__(
        self,
        what: str,
        patience: float,
        on_warning: Callable[[str], None],
        *,
        is_stopping: Callable[[], bool] = lambda: False,
        while_waiting: Callable[[], None] = lambda: None,
        describe: Callable[[BaseException], str] = str,
    ) -> None:
        self.failure: str | None = None
        self._what = what
        self._patience = patience
        self._on_warning = on_warning
        self._is_stopping = is_stopping
        self._while_waiting = while_waiting
        self._describe = describe
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._since: float | None = None
        self._waiting = 0

    @property
    def seconds(self) -> float:
        """How long it has been away; 0 while it answers."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def insist(self, call: Callable[[], T], is_away: Callable[[BaseException], bool]) -> T:
        """What `call` returns, tried again as long as it raises an error that `is_away` takes for an outage.

        Raises:
            AwayError: the service was away for longer than is waited.
        """
        try:
            return call()
        except Exception as error:
            if isinstance(error, AwayError) or not is_away(error):
                raise
            first = error
        with self._lock:
            self._waiting += 1
        try:
            result = self._try_again(call, is_away, first)
        finally:
            with self._lock:
                self._waiting -= 1
        self.came_back()
        return result

    def _try_again(self, call: Callable[[], T], is_away: Callable[[BaseException], bool], error: Exception) -> T:
        pause = 0.2
        while True:
            self.went_away(error)
            if self.failure is not None or (self._is_stopping() and self.seconds > STOPPING_SECONDS):
                raise AwayError(self.failure or f"{self._what} is away") from error
            self._wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            try:
                return call()
            except Exception as again:
                if isinstance(again, AwayError) or not is_away(again):
                    raise
                error = again

    def went_away(self, error: BaseException | str) -> None:
        """It did not answer, this time."""
        cause = short(error if isinstance(error, str) else self._describe(error) or type(error).__name__)
        with self._lock:
            is_new = self._since is None
            if is_new:
                self._since = time.monotonic()
            elif self.seconds > self._patience and self.failure is None:
                self.failure = f"{self._what} was away for more than {self._patience:g} s ({cause})"
        if is_new:
            self._on_warning(f"{self._what} does not answer; what comes in is kept until it is back ({cause})")

    def came_back(self) -> None:
        """It answered. Does not count while a call waits: what that wants may still be refused (a full disk)."""
        with self._lock:
            if self._waiting:
                return
            seconds, self._since = self.seconds, None
        if seconds:
            self._on_warning(f"{self._what} is back after {seconds:.0f} s")

    def _wait(self, pause: float) -> None:
        if threading.get_ident() != self._thread:
            time.sleep(pause)
            return
        end = time.monotonic() + pause
        while time.monotonic() < end and not self._is_stopping():
            self._while_waiting()
            time.sleep(min(0.2, pause))
        if self._is_stopping():
            self._while_waiting()
            time.sleep(0.2)


def short(message: str) -> str:
    """`message` in one line of at most 200 characters, without credentials."""
    text = mask_url(" ".join(message.split()))
    return text if len(text) <= 200 else text[:199] + "…"
