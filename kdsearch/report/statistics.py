"""Means over seeds and their intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


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
