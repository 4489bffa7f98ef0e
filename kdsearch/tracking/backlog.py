"""A first-in first-out queue that is bounded in memory: what does not fit waits in a temporary file.

The file need not outlive the process: the ledger holds everything, and the next attempt's reconcile delivers it.
"""

from __future__ import annotations

import pickle
import tempfile
import threading
from collections import deque
from typing import Any


class Backlog:
    """Jobs in order; at most `in_memory` of them are held in memory."""

    def __init__(self, in_memory: int = 1000) -> None:
        self._in_memory = in_memory
        self._head: deque[Any] = deque()
        self._spooled = 0
        self._file: Any = None
        self._read_at = 0
        self._is_closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        with self._changed:
            return len(self._head) + self._spooled

    def put(self, job: Any) -> None:
        with self._changed:
            if self._spooled == 0 and len(self._head) < self._in_memory:
                self._head.append(job)
            else:
                self._spool(job)
            self._changed.notify_all()

    def first(self, timeout: float | None = None) -> Any:
        """The oldest job, left in place; None when there is none within `timeout` seconds, or none will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._head or self._spooled or self._is_closed, timeout)
            if not self._head:
                self._refill()
            return self._head[0] if self._head else None

    def pop(self) -> None:
        """Forget the oldest job: it is done."""
        with self._changed:
            self._head.popleft()
            self._changed.notify_all()

    def left(self) -> list[Any]:
        """All jobs that are not done, the oldest first."""
        with self._changed:
            left = list(self._head)
            if self._spooled:
                self._file.seek(self._read_at)
                left += [pickle.load(self._file) for _ in range(self._spooled)]
            return left

    def wait_empty(self, timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._head and not self._spooled, timeout)

    def close(self) -> None:
        """No more jobs come: who waits for one waits no longer."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _spool(self, job: Any) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="kdsearch-tracking-")
            self._read_at = 0
        self._file.seek(0, 2)
        pickle.dump(job, self._file)
        self._spooled += 1

    def _refill(self) -> None:
        if not self._spooled:
            return
        self._file.seek(self._read_at)
        while self._spooled and len(self._head) < self._in_memory:
            self._head.append(pickle.load(self._file))
            self._spooled -= 1
        self._read_at = self._file.tell()
        if not self._spooled:
            self._file.close()
            self._file = None
