"""What can be read off intervals, and differences by replicate."""

from __future__ import annotations

from collections.abc import Mapping

from kdsearch.report.statistics import Estimate
from kdsearch.report.statistics import corrected
from kdsearch.report.statistics import estimate

MARGIN = 0.01
"""A difference of less than a point of accuracy is called none."""


def is_negligible(value: Estimate, comparisons: int = 1, margin: float = MARGIN) -> bool:
    """Whether the corrected interval lies within ± `margin`."""
    interval = corrected(value, comparisons)
    return value.ci95 is not None and -margin < interval.low and interval.high < margin


def difference(ours: Mapping[int, float], theirs: Mapping[int, float]) -> dict[int, float]:
    """By replicate, where both have one."""
    return {replicate: ours[replicate] - theirs[replicate] for replicate in sorted(ours.keys() & theirs.keys())}


def estimate_of(values: Mapping[int, float]) -> Estimate | None:
    return estimate(list(values.values())) if values else None
