"""What the studies of a sweep learn from each other: the trials of one sample count, shown to the sampler of another.

The best recipe changes slowly with the sample count, so what is good for 50 samples says much about 100. Accuracies of
different counts can't be compared, ranks can: each study's values are replaced by the normal scores of their ranks
within the study (Salinas, Shen & Perrone, 2020: "A quantile-based approach for hyperparameter transfer learning"), and
a sampler sees its own study's trials after those of the others, as if they were older.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

LENDERS = 3
"""How many sample counts lend to one: the nearest."""

LEARNERS = frozenset({"tpe", "gp"})
"""The samplers that learn from what is shown to them: others keep their state elsewhere, or have none."""

TRANSFER_ATTR = "kdsearch:transfer"
"""On a trial's row: how many trials of which sample counts the sampler saw besides its own study's."""


class Exchange:
    """Studies in one space, one for each sample count, that lend each other their finished trials."""

    def __init__(self) -> None:
        self._lenders: dict[int, Callable[[int], Sequence[FrozenTrial]]] = {}

    def join(self, sample_count: int, lender: Callable[[int], Sequence[FrozenTrial]]) -> None:
        """`lender` gives the finished trials of a study that are shown, when told how many studies are looked at."""
        self._lenders[sample_count] = lender

    @property
    def size(self) -> int:
        """How many studies a sampler looks at, its own among them."""
        return min(len(self._lenders), 1 + LENDERS)

    def lent_to(self, sample_count: int) -> dict[int, list[FrozenTrial]]:
        """What the study of `sample_count` is shown of its nearest `LENDERS` (in log n), the nearest last."""
        others = [n for n in self._lenders if n != sample_count]
        others.sort(key=lambda n: (abs(math.log(n / sample_count)), n))
        lent = {n: scored(self._lenders[n](self.size)) for n in reversed(others[:LENDERS])}
        return {n: trials for n, trials in lent.items() if trials}


def as_one_study(lent: Mapping[int, Sequence[FrozenTrial]], own: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """What a sampler sees: the lent trials and then its study's `own`, all scored, numbered from 0 in this order."""
    trials = [copy.copy(trial) for group in (*lent.values(), scored(own)) for trial in group]
    for number, trial in enumerate(trials):
        trial.number = number
    return trials


def scored(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials of one study with scores in place of their values.

    Each objective is scored by itself, over the complete trials; what was found at a decision point among all that came
    to it. Those still running stay as they are.
    """
    from optuna.trial import TrialState

    seen = [copy.copy(trial) if trial.state.is_finished() else trial for trial in trials]
    finished = [trial for trial in seen if trial.state.is_finished()]
    complete = [trial for trial in finished if trial.state is TrialState.COMPLETE]
    if complete:
        objectives = zip(*(trial.values for trial in complete), strict=True)
        scores = zip(*map(normal_scores, objectives), strict=True)
        for trial, values in zip(complete, scores, strict=True):
            trial.values = list(values)
    for trial, decisions in zip(finished, _decision_scores(finished), strict=True):
        trial.intermediate_values = decisions
    return seen


def _decision_scores(trials: Sequence[FrozenTrial]) -> list[dict[int, float]]:
    found: list[dict[int, float]] = [{} for _ in trials]
    for step in sorted({step for trial in trials for step in trial.intermediate_values}):
        there = [place for place, trial in enumerate(trials) if step in trial.intermediate_values]
        scores = normal_scores([trials[place].intermediate_values[step] for place in there])
        for place, score in zip(there, scores, strict=True):
            found[place][step] = score
    return found


def normal_scores(values: Sequence[float]) -> list[float]:
    """The normal distribution's quantiles at the ranks of `values`; equals share their mean rank."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    found: list[float] = ndtri((rankdata(values) - 0.5) / len(values)).tolist()
    return found
