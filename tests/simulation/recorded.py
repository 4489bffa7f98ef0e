"""Students that were trained once and recorded: what any recipe of their space reaches, interpolated between them.

What a recipe reaches on average at the decision points and at the end is a Gaussian process over its coordinates,
fitted to the logarithm of the recorded recipes' mean error (one process per sample count, the four outputs with one
kernel). A student's errors are these times the ratios by which one recorded student differed from its recipe's mean:
one of the `NEIGHBOURS` recorded recipes that are about as good. So recipes that are a matter of luck stay so, the
points of a curve go together as they did, and nobody is better than anybody was. What all recipes of one seed had in
common (its samples) is left out: all trials of a study share it. A process, and not the nearest recorded recipe,
because in five dimensions the nearest of a few hundred is far, and a sampler that refines a recipe would see no
difference.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdsearch.ledger import Point
from kdsearch.search.pack import Slot
from kdsearch.search.strategy import DECISION_STEPS
from kdsearch.search.strategy import LAST_STEP

SHARES = (*DECISION_STEPS, 1.0)
STEPS = (*DECISION_STEPS.values(), LAST_STEP)
NEIGHBOURS = 5
FOLDS = 8
SMALLEST_ERROR = 0.001

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RecordedCurve:
    """One student: its accuracies at the decision points and at the end."""

    accuracies: Sequence[float]
    seconds: float = 1.0

    def accuracy(self, share: float) -> float:
        return self.accuracies[SHARES.index(share)]

    def metrics(self, share: float) -> dict[str, float]:
        return {"val_accuracy": self.accuracy(share)}

    def points(self, started: float, until: float = 1.0) -> tuple[Point, ...]:
        """None: what samplers and pruners see is all that matters here."""
        return ()


class Recording:
    """The recorded students of one sample count."""

    def __init__(self, places: Array, accuracies: Array) -> None:
        """
        Args:
            places: [R, D], coordinates of the recipes, each 0 to 1.
            accuracies: [R, S, T], of S seeds at T decision points, the end last; not a number for a failed student.
        """
        self.places = places
        # A student whose loss became infinite knows nothing.
        self.accuracies = np.where(np.isnan(accuracies), np.nanmin(accuracies), accuracies)

    @cached_property
    def means(self) -> Array:
        """[R, T], over seeds."""
        return self.accuracies.mean(axis=1)

    @cached_property
    def ratios(self) -> Array:
        """[R, S, T]: each student's error by its recipe's mean error, without what its seed did to all."""
        errors = 1 + SMALLEST_ERROR - self.accuracies
        ratios = errors / errors.mean(axis=1, keepdims=True)
        seeds = self.accuracies.shape[1]
        # A mean over few seeds is near each of them: the power makes good what that takes from their spread.
        return (ratios / np.median(ratios, axis=0)) ** np.sqrt(seeds / (seeds - 1))

    @cached_property
    def _process(self) -> Callable[[Array], Array]:
        return _fit(self.places, self.means)

    def expected(self, places: Array) -> Array:
        """[N, T] accuracies of recipes at `places` [N, D], without noise."""
        return self._process(places)

    def student(self, expected: Array, chance: random.Random) -> Array:
        """[T] accuracies of one student of a recipe whose expected ones are `expected` [T]."""
        errors = np.log(1 + SMALLEST_ERROR - self.means[:, -1])
        alike = np.argsort(np.abs(errors - np.log(1 + SMALLEST_ERROR - expected[-1])), kind="stable")[:NEIGHBOURS]
        ratios = self.ratios[chance.choice(alike.tolist()), chance.randrange(self.ratios.shape[1])]
        return np.clip(1 + SMALLEST_ERROR - (1 + SMALLEST_ERROR - expected) * ratios, 0.0, 1.0)

    def held_out_r2(self) -> float:
        """R² of final accuracy on recipes that were left out of the fit, `FOLDS` times."""
        final, found = self.means[:, -1], np.empty(len(self.means))
        fold = np.arange(len(final)) % FOLDS
        for left_out in range(FOLDS):
            inside = fold != left_out
            found[~inside] = _fit(self.places[inside], self.means[inside])(self.places[~inside])[:, -1]
        return float(1 - ((final - found) ** 2).sum() / ((final - final.mean()) ** 2).sum())


def _fit(places: Array, values: Array) -> Callable[[Array], Array]:
    """A Gaussian process with a length for each coordinate: places [N, D] → values [N, T]."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel
    from sklearn.gaussian_process.kernels import Matern
    from sklearn.gaussian_process.kernels import WhiteKernel

    lengths = np.full(places.shape[1], 0.5)
    kernel = ConstantKernel() * Matern(lengths, (0.05, 20.0), nu=2.5) + WhiteKernel(0.1, (1e-4, 1.0))
    process = GaussianProcessRegressor(kernel, normalize_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # The logarithm of the error: a few recipes that learn nothing would else outweigh what the good ones differ in.
        process.fit(places, np.log(1 - values + SMALLEST_ERROR))
    return lambda asked: 1 + SMALLEST_ERROR - np.exp(process.predict(asked))


@dataclass(frozen=True)
class RecordedTask:
    """The recorded students of a data set, in place of the synthetic ones; `place` gives a recipe's coordinates."""

    recordings: Mapping[int, Recording]
    """By sample count."""
    place: Callable[[Mapping[str, Any]], Sequence[float]]

    def curve(self, slot: Slot) -> RecordedCurve:
        """Of a searched trial: the same for the same recipe, sample count and seed."""
        chance = random.Random(f"{slot.seed} {slot.sample_count}")
        recording = self.recordings[slot.sample_count]
        expected = recording.expected(np.array([self.place(slot.recipe.flat())]))[0]
        return RecordedCurve(recording.student(expected, chance).tolist())
