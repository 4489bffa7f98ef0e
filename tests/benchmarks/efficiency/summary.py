"""What the searches of a cell say together: regrets and epochs, with intervals over repetitions."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.efficiency.compare import Trajectory

RESAMPLES = 2000

Array = NDArray[np.float64]


def summary(trajectories: Sequence[Trajectory], rival: Sequence[Trajectory]) -> dict[str, Any]:
    """Of a cell's repetitions, beside `rival`'s: random search to its end.

    Regrets are in percentage points, epochs in whole trainings per sample count; `[low, high]` are 95 % intervals by
    bootstrap over repetitions (the rival's are resampled too).

    `epochs_to_random`: the median over repetitions of the epochs after which a search is first as good as the rivals
    are, on average, in the end. `mean_curve`: the epochs from which on the mean regret over repetitions is as good and
    stays so, the stricter number: nothing is won by a lucky moment. Both are infinite (null) where that never comes.
    """
    whole = rival[0].epochs[-1]
    ends = np.array([one.regret[-1] for one in rival])
    grid = np.arange(1.0, whole + 0.25, 0.25)
    curves = np.array([_on(grid, one) for one in trajectories])
    last = np.array([one.regret[-1] for one in trajectories])

    def to_random(rows: Rows, rivals: Rows) -> float:
        return float(np.median([trajectories[row].reaches(ends[rivals].mean()) for row in rows]))

    def mean_curve(rows: Rows, rivals: Rows) -> float:
        above = np.flatnonzero(curves[rows].mean(axis=0) > ends[rivals].mean())
        place = above[-1] + 1 if len(above) else 0
        return float(grid[place]) if place < len(grid) else float("inf")

    third = int(np.searchsorted(grid, whole / 3, side="right")) - 1
    sizes = (len(trajectories), len(rival))
    return {
        "repetitions": len(trajectories),
        "epochs": round(float(np.mean([one.epochs[-1] for one in trajectories])), 1),
        "regret": _points(lambda rows, _: float(last[rows].mean()), sizes),
        "regret_at_a_third": _points(lambda rows, _: float(curves[rows, third].mean()), sizes),
        "epochs_to_random": _epochs(to_random, sizes),
        "mean_curve": _epochs(mean_curve, sizes),
    }


def _on(grid: Array, one: Trajectory) -> Array:
    """The regret at each of `grid`, where a search that has ended stays as it is."""
    places = np.searchsorted(np.array(one.epochs), grid, side="right") - 1
    regret = np.array(one.regret)
    return np.where(places < 0, regret[0], regret[np.maximum(places, 0)])


Rows = NDArray[np.intp]
"""Indices of repetitions."""

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
