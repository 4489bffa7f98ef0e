"""What a sampler looks at of a long history, so that asking costs as much after ten thousand trials as after hundreds.

TPE models the best tenth of the trials, never more than 25, against all others, of which older ones weigh ever less. A
window holds the same best ones, the newest of the others, and what is running. It depends on which trials there are
and on nothing else, so a resumed sweep looks at what an uninterrupted one would have looked at.
"""

from __future__ import annotations

import bisect
import copy
import itertools
from collections.abc import Container
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from optuna.pruners import NopPruner
from optuna.study import Study
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import Trial

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


class Window(Study):
    """A study as its sampler sees it: the best finished trials, the newest `newest` others, and the running ones.

    It shares the study's storage, so what is asked here is a trial of the study. What is added or ends otherwise has
    to be shown to it (`take`).
    """

    def __init__(self, study_name: str, storage: BaseStorage, newest: int) -> None:
        # With the study's own pruner a sampler would be given a bracket of the whole study instead of this one.
        super().__init__(study_name, storage, pruner=NopPruner())
        self._newest = newest
        self._best = Best(self.directions)
        self._finished: list[int] = []
        """Numbers of the COMPLETE and PRUNED trials, in order."""
        self._running: set[int] = set()
        self._numbers: Sequence[int] = ()
        """What to look at for the trial that is being asked for."""

    def take(self, trial: FrozenTrial) -> None:
        """A trial is there as it is, or has ended."""
        if trial.state is TrialState.RUNNING:
            self._running.add(trial.number)
            return
        self._running.discard(trial.number)
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
            bisect.insort(self._finished, trial.number)
        if trial.state is TrialState.COMPLETE:
            self._best.add(trial)

    def ask(self, *args: Any, **kwargs: Any) -> Trial:
        asked = self._storage.get_n_trials(self._study_id)
        self._running.add(asked)
        self._numbers = self._look() if len(self._finished) > self._newest + BEST else range(asked + 1)
        trial = super().ask(*args, **kwargs)
        assert trial.number == asked, "nobody else asks, and no trial waits"
        return trial

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        # What every sampler reads the history with, several times for one trial.
        trials = self._storage.get_all_trials(self._study_id, deepcopy=False)
        seen = [trials[number] for number in self._numbers]
        found = seen if states is None else [trial for trial in seen if trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def _look(self) -> Sequence[int]:
        """The numbers of the trials to look at, in order."""
        others = (number for number in reversed(self._finished) if number not in self._best.numbers)
        return sorted(self._running.union(self._best.numbers, itertools.islice(others, self._newest)))
