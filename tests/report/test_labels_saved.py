from __future__ import annotations

import pytest

from kdsearch.report.data_efficiency import DataEfficiency
from kdsearch.report.figures.labels_saved import interval_text
from kdsearch.report.labels_saved import LabelsSaved
from kdsearch.report.labels_saved import labels_saved
from kdsearch.report.results import Results
from tests.factories import LABELS
from tests.factories import make_confirmations
from tests.factories import make_sweep


def results(distilled: dict[int, list[float]], labels: dict[int, list[float]]) -> Results:
    records = [
        record
        for count in distilled
        for record in (
            *make_confirmations(f"s{count}#1", distilled[count], distilled[count], count),
            *make_confirmations(f"c{count}#0", labels[count], labels[count], count, LABELS, "labels", first_number=50),
        )
    ]
    return Results.of(make_sweep(config={"sample_counts": list(distilled)}), records)


def test_seeds_that_agree_leave_no_doubt() -> None:
    first, second = labels_saved(results({100: [0.7] * 4, 400: [0.9] * 4}, {100: [0.6] * 4, 400: [0.8] * 4}))
    assert first.efficiency.value == pytest.approx(2.0)
    assert [first.low, first.high] == pytest.approx([2.0, 2.0])
    assert second.efficiency.at_least == 1.0
    assert not second.has_interval  # beyond the curve in every resample


def test_an_interval_may_end_beyond_the_curve() -> None:
    (saved, _) = labels_saved(
        results({100: [0.75, 0.85, 0.75, 0.85], 400: [0.9] * 4}, {100: [0.6] * 4, 400: [0.8] * 4})
    )
    assert saved.low == pytest.approx(4**0.75)  # 0.75 in every draw: the way from 0.6 to 0.8 in log n
    assert saved.high is None and saved.has_interval
    assert interval_text(saved) == "2.8× to beyond the curve"


def test_replicates_are_drawn_together_so_that_shared_luck_cancels() -> None:
    """A subset that is easy for one is easy for both: distilled at 100 is labels only at 400 in each replicate."""
    luck = [-0.05, 0.0, 0.02, 0.03]
    shared = results(
        {100: [0.8 + x for x in luck], 400: [0.9] * 4}, {100: [0.6 + x for x in luck], 400: [0.8 + x for x in luck]}
    )
    (saved, _) = labels_saved(shared)
    assert [saved.low, saved.high] == pytest.approx([4.0, 4.0])


def test_two_seeds_are_too_few() -> None:
    (saved,) = labels_saved(results({100: [0.7, 0.8]}, {100: [0.6, 0.7]}))
    assert not saved.has_interval and interval_text(saved) == "–"


def test_an_interval_that_is_not_known_is_not_written() -> None:
    assert interval_text(LabelsSaved(50, DataEfficiency(2.0), 1.5, 3.25)) == "1.5× to 3.2×"
