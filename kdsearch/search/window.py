"""What samplers and pruners look at of a long history, so that asking costs as much after ten thousand trials as after
hundreds.

TPE models the best tenth of the trials, never more than 25, against all others, of which older ones weigh ever less. It
is shown the same best ones, the newest of the others, and what is running. A pruner is shown the newest peers. Both
depend on which trials there are and on nothing else, so a resumed sweep looks at what an uninterrupted one would have
looked at. A short history is shown whole.
"""

from __future__ import annotations

import bisect
import copy
import itertools
from collections.abc import Container
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager

from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

BEST = 25
"""TPE's own limit to what it takes for good (`optuna.samplers._tpe.sampler.default_gamma`)."""

_Rank = tuple[tuple[float, ...], int]
"""A trial's values, smaller is better, and its number: of equals the older one comes first."""


class Best:
    """The COMPLETE trials that fewer than `BEST` others are better than: in every objective, if there are several.

    The others never come back: who is worse than `BEST` trials stays so. (The `BEST`-skyband of Papadias et al., 2005.)
    """

    def __init__(self, directions: Sequence[StudyDirection]) -> None:
        self.numbers: set[int] = set()
        self._signs = [-1.0 if direction is StudyDirection.MAXIMIZE else 1.0 for direction in directions]
        self._better: dict[_Rank, int] = {}
        """How many trials are better than each."""

    def add(self, trial: FrozenTrial) -> None:
        rank = (tuple(sign * value for sign, value in zip(self._signs, trial.values, strict=True)), trial.number)
        better = sum(_is_better(other, rank) for other in self._better)
        if better >= BEST:
            return
        for other in [other for other in self._better if _is_better(rank, other)]:
            self._better[other] += 1
            if self._better[other] >= BEST:
                del self._better[other]
                self.numbers.discard(other[1])
        self._better[rank] = better
        self.numbers.add(trial.number)


def _is_better(one: _Rank, other: _Rank) -> bool:
    return all(a <= b for a, b in zip(one[0], other[0], strict=True)) and one < other


class Mirror(InMemoryStorage):
    """A study's trials in memory, of which those who ask for all may be given some."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: Sequence[int] | None = None
        self._instead: Sequence[FrozenTrial] | None = None

    @contextmanager
    def showing(self, numbers: Sequence[int] | None) -> Iterator[None]:
        """Meanwhile these are all trials there are, one of them perhaps about to be made; None for all."""
        self._shown = numbers
        try:
            yield
        finally:
            self._shown = None

    @contextmanager
    def showing_instead(self, trials: Sequence[FrozenTrial]) -> Iterator[None]:
        """Meanwhile these are all trials there are, for those who ask for all; they need not be the study's own."""
        self._instead = trials
        try:
            yield
        finally:
            self._instead = None

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        if self._instead is None and self._shown is None:
            return super().get_all_trials(study_id, deepcopy, states)
        shown = self.of_numbers(study_id, self._shown) if self._instead is None else self._instead
        found = [trial for trial in shown if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def of_numbers(self, study_id: int, numbers: Sequence[int] | None) -> list[FrozenTrial]:
        """The study's own trials of these numbers, as far as they are there; None for all."""
        trials = super().get_all_trials(study_id, deepcopy=False)
        return trials if numbers is None else [trials[number] for number in numbers if number < len(trials)]


class Window:
    """Keeps account of a study's trials, and says which of them are worth a look, by number and in order."""

    def __init__(self, directions: Sequence[StudyDirection]) -> None:
        self._best = Best(directions)
        self._finished: list[int] = []
        """Numbers of the COMPLETE and PRUNED trials, in order."""
        self._running: set[int] = set()

    def take(self, trial: FrozenTrial) -> None:
        """A trial is there as it is, or has ended; it may be taken again."""
        if trial.state is TrialState.RUNNING:
            self._running.add(trial.number)
            return
        self._running.discard(trial.number)
        place = bisect.bisect_left(self._finished, trial.number)
        if self._finished[place : place + 1] == [trial.number]:
            return
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
            self._finished.insert(place, trial.number)
        if trial.state is TrialState.COMPLETE:
            self._best.add(trial)

    def for_sampler(self, asked: int, newest: int | None) -> Sequence[int] | None:
        """What to show for the trial that is to be number `asked`: the best, the `newest` others, and what is running.

        None for everything, as long as that is little, and always where `newest` is None.
        """
        if newest is None or len(self._finished) <= newest + BEST:
            return None
        others = (number for number in reversed(self._finished) if number not in self._best.numbers)
        return sorted(self._running.union(self._best.numbers, itertools.islice(others, newest), [asked]))

    def for_pruner(self, newest: int) -> Sequence[int] | None:
        """What to compare a running trial with: the `newest` finished ones, and the others that are running."""
        if len(self._finished) <= newest:
            return None
        return sorted(self._running.union(self._finished[-newest:]))
