"""Intervals that hold for several comparisons together, and what can be read off them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kdsearch.report.statistics import Estimate
from kdsearch.report.statistics import estimate
from kdsearch.report.statistics import t_quantile

MARGIN = 0.01
"""A difference of less than a point of accuracy is called none."""


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


def is_negligible(value: Estimate, comparisons: int = 1, margin: float = MARGIN) -> bool:
    """Whether the corrected interval lies within ± `margin`."""
    interval = corrected(value, comparisons)
    return value.ci95 is not None and -margin < interval.low and interval.high < margin


def difference(ours: Mapping[int, float], theirs: Mapping[int, float]) -> dict[int, float]:
    """By replicate, where both have one."""
    return {replicate: ours[replicate] - theirs[replicate] for replicate in sorted(ours.keys() & theirs.keys())}


def estimate_of(values: Mapping[int, float]) -> Estimate | None:
    return estimate(list(values.values())) if values else None
