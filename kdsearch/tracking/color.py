"""One color per sample count, so that the MLflow UI's charts show n at a glance."""

from __future__ import annotations

import math
from collections.abc import Sequence

_VIRIDIS = ("#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39")
"""Seven steps of matplotlib's viridis, without its last, too light on white."""


def sample_count_color(sample_count: int, sample_counts: Sequence[int]) -> str:
    """`#rrggbb` of a sample count: its place on a log axis that spans the sweep's counts."""
    low, high = math.log(min(sample_counts)), math.log(max(sample_counts))
    place = 0.0 if high == low else (math.log(sample_count) - low) / (high - low)
    position = min(max(place, 0.0), 1.0) * (len(_VIRIDIS) - 1)
    left = min(int(position), len(_VIRIDIS) - 2)
    return _mix(_VIRIDIS[left], _VIRIDIS[left + 1], position - left)


def _mix(left: str, right: str, share: float) -> str:
    channels = ((int(left[i : i + 2], 16), int(right[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in channels)
