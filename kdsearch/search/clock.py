"""How long a sweep has been searching, over all its attempts: what `time_budget` limits."""

from __future__ import annotations

import time
from collections.abc import Callable


class SearchClock:
    """Runs while controls and searched trials are trained: not while Ray, data and teacher are made ready, and not
    while recipes are confirmed. Any thread may read it.
    """

    def __init__(
        self, budget: float | None = None, *, earlier: float = 0.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`budget` (None is no limit) and what `earlier` attempts have used of it are in seconds."""
        self._budget = budget
        self._earlier = earlier
        self._now = now
        self._state: tuple[float, float | None] = (0.0, None)
        """What had been used when it was started last, and when that was; None while it stands."""

    @property
    def seconds(self) -> float:
        """What this attempt has used."""
        used, since = self._state
        return used if since is None else used + self._now() - since

    @property
    def is_used_up(self) -> bool:
        return self._budget is not None and self._earlier + self.seconds >= self._budget

    def start(self) -> None:
        self._state = (self.seconds, self._now())

    def stop(self) -> None:
        self._state = (self.seconds, None)
