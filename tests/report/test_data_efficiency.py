from __future__ import annotations

import math

import pytest

from kdsearch.report.data_efficiency import data_efficiency
from kdsearch.report.data_efficiency import monotone

RISING = {100: 0.6, 200: 0.7, 400: 0.8}
NOT_MONOTONE = {100: 0.6, 200: 0.8, 400: 0.7}
"""Isotonic: 0.6, 0.75, 0.75."""
TIED = {100: 0.6, 200: 0.6, 400: 0.8}


@pytest.mark.parametrize(
    ("curve", "sample_count", "accuracy", "expected"),
    [
        (RISING, 100, 0.7, 2.0),
        (RISING, 200, 0.7, 1.0),
        (RISING, 200, 0.8, 2.0),
        (RISING, 100, 0.75, 2 * math.sqrt(2)),
        (RISING, 100, 0.6, 1.0),
        (RISING, 400, 0.6, 0.25),
        (RISING, 400, 0.65, math.sqrt(2) / 4),
        (NOT_MONOTONE, 100, 0.75, 2.0),
        (NOT_MONOTONE, 400, 0.75, 0.5),
        (NOT_MONOTONE, 100, 0.675, math.sqrt(2)),
        (TIED, 200, 0.6, 0.5),
        (TIED, 100, 0.7, 2 * math.sqrt(2)),
        ({100: 0.6}, 100, 0.6, 1.0),
    ],
)
def test_hand_worked(curve: dict[int, float], sample_count: int, accuracy: float, expected: float) -> None:
    found = data_efficiency(sample_count, accuracy, curve)
    assert found.value == pytest.approx(expected, rel=1e-12)
    assert found.reason is None


@pytest.mark.parametrize(("curve", "accuracy"), [(RISING, 0.81), (NOT_MONOTONE, 0.76), ({100: 0.6}, 0.61)])
def test_a_curve_that_never_gets_there_has_no_value_but_a_reason(curve: dict[int, float], accuracy: float) -> None:
    found = data_efficiency(100, accuracy, curve)
    assert found.value is None
    assert found.reason is not None and f"up to {max(curve)} samples" in found.reason
    assert found.at_least == max(curve) / 100


def test_below_the_curve_the_first_count_is_an_upper_bound() -> None:
    found = data_efficiency(200, 0.5, RISING)
    assert found.value == 0.5
    assert found.reason is not None and found.reason.startswith("at most")


def test_without_labels_there_is_a_reason() -> None:
    found = data_efficiency(100, 0.5, {})
    assert found.value is None and found.reason is not None


def test_monotone_pools_neighbours() -> None:
    assert monotone([0.5, 0.9, 0.7, 0.8, 0.95]) == pytest.approx([0.5, 0.8, 0.8, 0.8, 0.95])
