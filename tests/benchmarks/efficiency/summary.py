"""What the searches of a cell say together: regrets and epochs, with intervals over repetitions."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.efficiency.compare import RECOMMENDED
from tests.benchmarks.efficiency.compare import Trajectory

RESAMPLES = 2000
GRID = 0.25
"""Whole trainings per sample count between two looks at a search."""

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
"""Indices of repetitions."""


def summary(found: Sequence[Trajectory], rival: Sequence[Trajectory]) -> dict[str, Any]:
    """Of a cell's repetitions, beside `rival`'s: random search to its end; for each way of recommending a recipe.

    Regrets are in percentage points, epochs in whole trainings per sample count; `[value, low, high]` are 95 %
    intervals by bootstrap over repetitions (the rival's are resampled too).

    `to_random`: the median over repetitions of the epochs after which a search is first as good as the rivals are, on
    average, in the end. `mean_to_random`: the epochs from which on the mean regret over repetitions is as good and
    stays so, the stricter number: nothing is won by a lucky moment. Null where that never comes.
    """
    whole = rival[0].epochs[-1]
    return {
        "repetitions": len(found),
        "epochs": round(float(np.mean([one.epochs[-1] for one in found])), 1),
        **{way: _of_one_way(_on_grid(found, way, whole), _on_grid(rival, way, whole)) for way in RECOMMENDED},
    }


def _of_one_way(curves: Array, rivals: Array) -> dict[str, Any]:
    third = int(np.searchsorted(_grid(GRID * curves.shape[1]), GRID * curves.shape[1] / 3, side="right")) - 1

    def to_random(rows: Rows, others: Rows) -> float:
        is_there = curves[rows] <= rivals[others, -1].mean()
        first = np.where(is_there.any(axis=1), is_there.argmax(axis=1), np.inf)
        return float(GRID * (np.quantile(first, 0.5, method="inverted_cdf") + 1))

    def mean_to_random(rows: Rows, others: Rows) -> float:
        above = np.flatnonzero(curves[rows].mean(axis=0) > rivals[others, -1].mean() + 1e-12)
        first = above[-1] + 1 if len(above) else 0
        return GRID * (first + 1) if first < curves.shape[1] else float("inf")

    sizes = (len(curves), len(rivals))
    return {
        "regret": _points(lambda rows, _: float(curves[rows, -1].mean()), sizes),
        "at_a_third": _points(lambda rows, _: float(curves[rows, third].mean()), sizes),
        "to_random": _epochs(to_random, sizes),
        "mean_to_random": _epochs(mean_to_random, sizes),
    }


def _grid(whole: float) -> Array:
    return np.arange(GRID, whole + GRID / 2, GRID)


def _on_grid(found: Sequence[Trajectory], way: str, whole: float) -> Array:
    """[repetition, epochs] regrets at every `GRID` epochs; a search that has ended stays as it is."""
    grid = _grid(whole)
    rows = []
    for one in found:
        places = np.searchsorted(np.array(one.epochs), grid + 1e-9, side="right") - 1
        # Before every sample count has a complete trial there is nothing to recommend.
        rows.append(np.where(places < 0, np.inf, np.array(one.regrets[way])[np.maximum(places, 0)]))
    return np.array(rows)


Statistic = Callable[[Rows, Rows], float]


def _points(statistic: Statistic, sizes: tuple[int, int]) -> list[float]:
    return [round(100 * value, 2) for value in _interval(statistic, sizes)]


def _epochs(statistic: Statistic, sizes: tuple[int, int]) -> list[float | None]:
    return [round(value, 1) if np.isfinite(value) else None for value in _interval(statistic, sizes)]


def _interval(statistic: Statistic, sizes: tuple[int, int]) -> tuple[float, float, float]:
    """The value, and the 95 % interval of the percentile bootstrap."""
    chance = np.random.default_rng(0)
    rows, rivals = (np.arange(size) for size in sizes)
    found = [statistic(chance.choice(rows, len(rows)), chance.choice(rivals, len(rivals))) for _ in range(RESAMPLES)]
    low, high = np.quantile(found, [0.025, 0.975], method="inverted_cdf")
    return statistic(rows, rivals), float(low), float(high)
