"""Hours, ends and prices, recomputed by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kdsearch.config.schema import ResourcesConfig
from kdsearch.estimate.durations import Durations
from kdsearch.estimate.durations import Range
from kdsearch.estimate.durations import from_calibration
from kdsearch.estimate.durations import from_trials
from kdsearch.estimate.forecast import Node
from kdsearch.estimate.forecast import Price
from kdsearch.estimate.forecast import forecast
from kdsearch.estimate.forecast import node_counts
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from tests.factories import START
from tests.factories import make_record

RESOURCES = ResourcesConfig(cpus_per_trial=1.0, gpus_per_trial=0.5)
NODE = Node("a node", cpus=8, gpus=2)


def _trial(number: int, began: float, seconds: float, sample_count: int = 100, **fields: Any) -> TrialRecord:
    started = START + timedelta(seconds=began)
    ended = started + timedelta(seconds=seconds)
    return make_record(number, sample_count=sample_count, started=started, ended=ended, **fields)


def test_a_share_of_a_gpu_does_not_span_gpus() -> None:
    def slots(cpus: float, gpus: float) -> int:
        return NODE.slots(ResourcesConfig(cpus_per_trial=cpus, gpus_per_trial=gpus))

    assert [slots(1, 0), slots(3, 0), slots(1, 0.5), slots(1, 0.4), slots(1, 0.75), slots(1, 2), slots(4, 0.5)] == [
        8,
        2,
        4,
        4,
        2,
        1,
        2,
    ]


def test_hours_ends_and_dollars() -> None:
    durations = Durations({100: Range(90.0, 100.0, 120.0), 300: Range(190.0, 200.0, 260.0)}, "")
    made = forecast({100: 40, 200: 10, 300: 6}, durations, RESOURCES, NODE, start=20.0)
    # n=200 lies half-way: 140, 150, 190 seconds.
    work = [40 * 90 + 10 * 140 + 6 * 190, 40 * 100 + 10 * 150 + 6 * 200, 40 * 120 + 10 * 190 + 6 * 260]
    assert [made.work.low, made.work.middle, made.work.high] == pytest.approx(work)
    assert made.gpu_hours.middle == pytest.approx(work[1] * 0.5 / 3600)
    assert made.cpu_hours.middle == pytest.approx(work[1] / 3600)
    one, two = made.rows(2, Price(0.5, 2.0, ""))
    assert one.seconds.middle == pytest.approx(20 + work[1] / 4)
    assert two.seconds.high == pytest.approx(20 + work[2] / 8)
    assert two.dollars == pytest.approx((2 * 0.5 * (20 + work[0] / 8) / 3600, 2 * 2.0 * (20 + work[2] / 8) / 3600))
    # However many nodes: the longest trial, and then its confirmation.
    assert made.row(1000).seconds.middle == pytest.approx(20 + 2 * 200)
    limited = replace(made, resources=RESOURCES.model_copy(update={"max_concurrent": 2}))
    assert limited.row(5).seconds.middle == pytest.approx(20 + work[1] / 2)


def test_nothing_left() -> None:
    made = forecast({100: 0}, from_calibration({100: 5.0}), RESOURCES, NODE, start=20.0)
    assert made.trials == 0 and made.work.high == 0 and made.row(1).seconds.high == 20.0


def test_packs_share_their_time() -> None:
    # A pack of four takes 8 s, one of two 6 s, and one trial alone 3 s: 17 s for 7 trials.
    pack = [_trial(number, 0.1 * number, 8 - 0.1 * number) for number in range(4)]
    others = [_trial(4, 20, 6), _trial(5, 20, 6), _trial(6, 40, 3)]
    found = from_trials([*pack, *others])
    assert found is not None
    each = found.of(100)
    assert each.middle == pytest.approx(17 / 7)
    residuals = [8 - 4 * 17 / 7, 6 - 2 * 17 / 7, 3 - 17 / 7]
    half = 4.302653 * (sum(r * r for r in residuals) * 3 / 2) ** 0.5 / 7
    assert each.low == pytest.approx(max(2.0, 17 / 7 - half)) and each.high == pytest.approx(min(3.0, 17 / 7 + half))


def test_which_trials_tell_how_long_one_takes() -> None:
    assert from_trials([]) is None
    interrupted = _trial(0, 0, 500, attempts=(1, 2))
    running = make_record(1, state=TrialState.RUNNING)
    assert from_trials([interrupted, running]) is None
    found = from_trials([interrupted, running, _trial(2, 0, 10)])
    assert found is not None and found.of(100) == Range(5.0, 10.0, 20.0)
    assert found.of(1000) == found.of(100)


def test_between_what_was_calibrated() -> None:
    durations = from_calibration({50: 10.0, 450: 50.0})
    assert [durations.of(n).middle for n in (10, 50, 150, 450, 900)] == pytest.approx([10, 10, 20, 50, 50])
    assert durations.of(50) == Range(5.0, 10.0, 20.0)


@pytest.mark.parametrize(
    ("most", "counts"), [(1, [1]), (10, [*range(1, 11)]), (16, [1, 2, 4, 8, 16]), (20, [1, 2, 4, 8, 16, 20])]
)
def test_rows(most: int, counts: list[int]) -> None:
    assert [*node_counts(most)] == counts
