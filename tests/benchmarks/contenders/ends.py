"""When the trials of one run ended: all that is measured of a contender."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import optuna

SAME_MOMENT = 0.1
"""Seconds after the first trial's end within which others were in the same pack: they are no part of a rate."""


@dataclass(frozen=True)
class Ends:
    """Times are in seconds since 1970."""

    phases: Sequence[Sequence[float]]
    """When each trial ended, one list for each part of the run that has a start-up of its own."""
    finished: float
    """When the whole run was over."""

    @property
    def trials(self) -> int:
        return sum(map(len, self.phases))

    @property
    def first(self) -> float:
        return min(map(min, self.phases))

    @property
    def last(self) -> float:
        return max(map(max, self.phases))

    @property
    def per_minute(self) -> float | None:
        """Of the steady state, from the first trial's end to the last's; None where only one trial ended in it."""
        trials, seconds = 0, 0.0
        for phase in self.phases:
            trials += sum(end > min(phase) + SAME_MOMENT for end in phase)
            seconds += max(phase) - min(phase)
        return 60 * trials / seconds if trials else None


def process_count() -> int:
    """One process of one thread for each core, for every contender: as many as Ray starts."""
    return os.cpu_count() or 1


def ends_of(study: optuna.Study, expected: int) -> list[float]:
    """When each trial was told to the study.

    Raises:
        RuntimeError: not just `expected` trials are complete.
    """
    ends: list[datetime | None] = [trial.datetime_complete for trial in study.trials if trial.state.name == "COMPLETE"]
    return complete((end.timestamp() for end in ends if end is not None), expected)


def complete(ends: Iterable[float], expected: int) -> list[float]:
    found = sorted(ends)
    if len(found) != expected:
        raise RuntimeError(f"{len(found)} trials are complete, not {expected}")
    return found
