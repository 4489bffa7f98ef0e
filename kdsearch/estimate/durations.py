"""How long one trial keeps a slot busy, by sample count, and how well that is known."""

from __future__ import annotations

import math
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kdsearch.ledger.records import TrialRecord

GUESSED_SECONDS = 1.0
GUESS_FACTOR = 10.0
"""A guess may be wrong by so much, both ways."""
MACHINE_FACTOR = 2.0
"""A measurement on one machine may be wrong by so much, both ways, for another."""
TOGETHER_SECONDS = 1.0
"""Trials of a study that begin and end within so much were one pack."""


@dataclass(frozen=True)
class Range:
    """A value between `low` and `high`."""

    low: float
    middle: float
    high: float

    @classmethod
    def within(cls, middle: float, factor: float) -> Range:
        return cls(middle / factor, middle, middle * factor)

    def scaled(self, factor: float) -> Range:
        return Range(self.low * factor, self.middle * factor, self.high * factor)

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.middle + other.middle, self.high + other.high)


@dataclass(frozen=True)
class Durations:
    """Seconds of a slot per trial. Of a pack of k trials each has a k-th of the pack's time."""

    by_count: Mapping[int, Range]
    basis: str
    """Where they come from, for a reader."""

    def of(self, sample_count: int) -> Range:
        """Between the sample counts that were measured by a line, outside them as the nearest."""
        known = sorted(self.by_count)
        below = max((n for n in known if n <= sample_count), default=known[0])
        above = min((n for n in known if n >= sample_count), default=known[-1])
        low, high = self.by_count[below], self.by_count[above]
        share = (sample_count - below) / (above - below) if above > below else 0.0
        share = min(1.0, max(0.0, share))
        return low.scaled(1 - share) + high.scaled(share)


def from_trials(trials: Iterable[TrialRecord]) -> Durations | None:
    """From finished trials that one attempt began and ended; None where there are none.

    The range is the 95 % t interval of the mean over packs, or a factor of two where a sample count has one pack alone.
    A trial may have waited for a slot, so the times are rather too long than too short.
    """
    packs: dict[int, list[tuple[float, int]]] = {}
    finished = [t for t in trials if t.state.is_finished and len(t.attempts) == 1 and t.started and t.ended]
    for pack in _packs(finished):
        seconds = (max(map(_ended, pack)) - min(map(_started, pack))).total_seconds()
        packs.setdefault(pack[0].sample_count, []).append((seconds, len(pack)))
    if not packs:
        return None
    basis = f"from {len(finished)} finished trials of this sweep; time that they waited for a slot is in it"
    return Durations({n: _interval(of_count) for n, of_count in packs.items()}, basis)


def from_calibration(seconds: Mapping[int, float]) -> Durations:
    """From one student per sample count, trained alone on this machine, in seconds."""
    basis = (
        f"from one student at n={' and n='.join(map(str, sorted(seconds)))}, trained alone on this machine; "
        f"another kind of node may be {MACHINE_FACTOR:g} times faster or slower, and packs are faster"
    )
    return Durations({n: Range.within(value, MACHINE_FACTOR) for n, value in seconds.items()}, basis)


def guessed(sample_counts: Iterable[int], replicates: int) -> Durations:
    seconds = Range.within(GUESSED_SECONDS * replicates, GUESS_FACTOR)
    basis = (
        f"a rough guess of {GUESSED_SECONDS:g} s per training, perhaps {GUESS_FACTOR:g} times off; --calibrate measures"
    )
    return Durations(dict.fromkeys(sample_counts, seconds), basis)


def _packs(trials: Sequence[TrialRecord]) -> list[list[TrialRecord]]:
    packs: list[list[TrialRecord]] = []
    for trial in sorted(trials, key=lambda t: (t.study, _started(t))):
        if packs and _is_together(packs[-1][-1], trial):
            packs[-1].append(trial)
        else:
            packs.append([trial])
    return packs


def _is_together(one: TrialRecord, other: TrialRecord) -> bool:
    return (
        one.study == other.study
        and abs((_started(other) - _started(one)).total_seconds()) < TOGETHER_SECONDS
        and abs((_ended(other) - _ended(one)).total_seconds()) < TOGETHER_SECONDS
    )


def _interval(packs: Sequence[tuple[float, int]]) -> Range:
    """Seconds per trial from each pack's seconds and number of trials, by the ratio estimator (Cochran, Sampling
    Techniques, 1977, ch. 6); no mean lies outside of what was seen."""
    trials = sum(number for _, number in packs)
    middle = sum(seconds for seconds, _ in packs) / trials
    if len(packs) < 2:
        return Range.within(middle, MACHINE_FACTOR)
    from scipy import stats

    count = len(packs)
    squares = sum((seconds - middle * number) ** 2 for seconds, number in packs)
    error = math.sqrt(squares * count / (count - 1)) / trials
    half = float(stats.t.ppf(0.975, count - 1)) * error
    seen = [seconds / number for seconds, number in packs]
    return Range(max(min(seen), middle - half), middle, min(max(seen), middle + half))


def _started(trial: TrialRecord) -> datetime:
    assert trial.started is not None
    return trial.started


def _ended(trial: TrialRecord) -> datetime:
    assert trial.ended is not None
    return trial.ended
