"""How many labels distillation saves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

TOLERANCE = 1e-12
"""Accuracies closer than this are equal: sums of the same numbers in another order differ by less."""


@dataclass(frozen=True)
class DataEfficiency:
    """Labelled samples that labels-only training needs for an accuracy, divided by n; `reason` explains a None, or
    says in which way a value is a bound.
    """

    value: float | None
    reason: str | None = None
    at_least: float | None = None
    """Where the curve never gets there: its last count divided by n."""


@dataclass(frozen=True)
class LabelsCurve:
    """Labels-only accuracy by sample count, made monotone by isotonic regression and joined linearly in log n."""

    counts: tuple[int, ...]
    accuracies: tuple[float, ...]

    @classmethod
    def of(cls, curve: Mapping[int, float]) -> LabelsCurve:
        counts = sorted(curve)
        return cls(tuple(counts), tuple(monotone([curve[count] for count in counts])))

    def efficiency(self, sample_count: int, accuracy: float) -> DataEfficiency:
        """How many times `sample_count` labels-only training needs to reach `accuracy`.

        The answer is the smallest count at which the curve reaches `accuracy`. An accuracy below the curve's start is
        answered with its first count, an upper bound; beyond its highest point there is no answer.
        """
        if not self.counts:
            return DataEfficiency(None, "there is no labels-only accuracy to compare with")
        needed = self._first_reach(accuracy)
        if needed is None:
            reason = f"labels only does not reach {100 * accuracy:.1f} % with up to {self.counts[-1]} samples"
            return DataEfficiency(None, reason, at_least=self.counts[-1] / sample_count)
        if accuracy < self.accuracies[0] - TOLERANCE:
            reason = f"at most; the labels-only curve starts at n={self.counts[0]}"
            return DataEfficiency(needed / sample_count, reason)
        return DataEfficiency(needed / sample_count)

    def _first_reach(self, accuracy: float) -> float | None:
        counts, curve = self.counts, self.accuracies
        if accuracy <= curve[0] + TOLERANCE:
            return float(counts[0])
        for place in range(1, len(counts)):
            if accuracy <= curve[place] + TOLERANCE:
                share = min(1.0, (accuracy - curve[place - 1]) / (curve[place] - curve[place - 1]))
                left, right = math.log(counts[place - 1]), math.log(counts[place])
                return math.exp(left + share * (right - left))
        return None


def data_efficiency(sample_count: int, accuracy: float, labels_curve: Mapping[int, float]) -> DataEfficiency:
    """`LabelsCurve.efficiency` of a curve given as labels-only accuracies by sample count."""
    return LabelsCurve.of(labels_curve).efficiency(sample_count, accuracy)


def monotone(accuracies: list[float]) -> list[float]:
    """The non-decreasing curve closest to `accuracies` in least squares; empty for none."""
    from sklearn.isotonic import isotonic_regression

    return [float(value) for value in isotonic_regression(accuracies)] if accuracies else []
