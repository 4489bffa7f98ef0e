"""How many labels distillation saves, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from kdsearch.report.confirmation import Confirmed
from kdsearch.report.data_efficiency import DataEfficiency
from kdsearch.report.data_efficiency import LabelsCurve
from kdsearch.report.results import Results

RESAMPLES = 400
FEWEST_SEEDS = 3
SEED = 0


@dataclass(frozen=True)
class LabelsSaved:
    """Of one sample count. The interval is a 95 % percentile bootstrap over the confirmation's replicates, which are
    drawn together for all sample counts and for both curves, as they share their subsets."""

    sample_count: int
    efficiency: DataEfficiency
    low: float | None = None
    """None where there are too few replicates for an interval, or where it lies beyond the labels-only curve."""
    high: float | None = None
    """Likewise."""

    @property
    def has_interval(self) -> bool:
        return self.low is not None or self.high is not None


def labels_saved(results: Results) -> list[LabelsSaved]:
    """Of each sample count with something to say, smallest first."""
    intervals = _intervals(results)
    return [
        LabelsSaved(summary.sample_count, summary.data_efficiency, *intervals.get(summary.sample_count, (None, None)))
        for summary in results.summaries
        if summary.data_efficiency.value is not None or summary.data_efficiency.at_least is not None
    ]


def _intervals(results: Results) -> dict[int, tuple[float | None, float | None]]:
    import numpy as np

    distilled, labels = _accuracies(results, "confirms"), _accuracies(results, "labels_confirms")
    replicates = sorted({index for curve in (distilled, labels) for values in curve.values() for index in values})
    if len(replicates) < FEWEST_SEEDS or not labels:
        return {}
    generator = np.random.default_rng(SEED)
    drawn: dict[int, list[float]] = {sample_count: [] for sample_count in distilled}
    for _ in range(RESAMPLES):
        chosen = [replicates[place] for place in generator.integers(len(replicates), size=len(replicates))]
        curve = LabelsCurve.of(_means(labels, chosen))
        for sample_count, mean in _means(distilled, chosen).items():
            found = curve.efficiency(sample_count, mean)
            drawn[sample_count].append(math.inf if found.value is None else found.value)
    return {sample_count: _percentiles(values) for sample_count, values in drawn.items() if values}


def _accuracies(results: Results, field: str) -> dict[int, dict[int, float]]:
    """Test accuracies by sample count and replicate, of the recipe that the summary's `field` names."""
    by_key: dict[tuple[int, str], Confirmed] = {(r.sample_count, r.confirms): r for r in results.confirmed}
    keys = {s.sample_count: getattr(s, field) for s in results.summaries if getattr(s, field) is not None}
    return {count: by_key[count, key].test_accuracies() for count, key in keys.items()}


def _means(curve: Mapping[int, Mapping[int, float]], chosen: list[int]) -> dict[int, float]:
    values = {count: [of_count[index] for index in chosen if index in of_count] for count, of_count in curve.items()}
    return {count: sum(found) / len(found) for count, found in values.items() if found}


def _percentiles(values: list[float]) -> tuple[float | None, float | None]:
    import numpy as np

    low, high = (float(np.quantile(values, share, method="inverted_cdf")) for share in (0.025, 0.975))
    return low if math.isfinite(low) else None, high if math.isfinite(high) else None
