"""Means over seeds and their intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace


@dataclass(frozen=True)
class Estimate:
    """A mean over `seeds` values; `ci95` is the half-width of its two-sided 95 % t-interval, None below two values."""

    mean: float
    ci95: float | None
    seeds: int

    @property
    def low(self) -> float:
        return self.mean - (self.ci95 or 0.0)

    @property
    def high(self) -> float:
        return self.mean + (self.ci95 or 0.0)


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and t-interval of at least one value, taken as independent draws."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Estimate(mean, None, len(values))
    return Estimate(mean, t_quantile(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values)), len(values))


def t_quantile(degrees_of_freedom: int) -> float:
    """The 97.5 % point of Student's t distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees_of_freedom, 0.975))


def corrected(value: Estimate, comparisons: int) -> Estimate:
    """The t-interval at 1 - 0.05 / `comparisons` instead of 95 % (Bonferroni): all of them hold together at 95 %."""
    if value.ci95 is None or comparisons <= 1:
        return value
    from scipy.special import stdtrit

    degrees = value.seeds - 1
    factor = float(stdtrit(degrees, 1 - 0.025 / comparisons)) / t_quantile(degrees)
    return replace(value, ci95=factor * value.ci95)


def direction(value: Estimate | None, comparisons: int = 1) -> int:
    """1 or -1 where the corrected interval lies above or below 0, else 0; a single run tells nothing."""
    if value is None or value.ci95 is None:
        return 0
    interval = corrected(value, comparisons)
    return (interval.low > 0) - (interval.high < 0)
