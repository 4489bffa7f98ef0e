"""Rates, medians over rounds and the README's table."""

from __future__ import annotations

import pytest

from tests.benchmarks.contenders.ends import Ends
from tests.benchmarks.head_to_head import read
from tests.benchmarks.measurement import Measurement
from tests.benchmarks.summary import summarize
from tests.benchmarks.summary import table


def measured(contender: str, round_: int, rate: float | None) -> Measurement:
    return Measurement(contender, round_, 100, rate, 12.0, 3.0, 0.5)


def test_a_rate_counts_from_the_first_end_on() -> None:
    assert Ends([[10.0, 40.0, 70.0]], 75.0).per_minute == pytest.approx(2)


def test_the_first_pack_is_no_part_of_the_rate() -> None:
    """Two packs of four, a minute apart: four trials a minute."""
    ends = [10.0, 10.01, 10.02, 10.03, 70.0, 70.01, 70.02, 70.03]
    assert Ends([ends], 75.0).per_minute == pytest.approx(4, rel=0.01)


def test_the_time_between_phases_is_no_part_of_the_rate() -> None:
    ends = Ends([[0.0, 30.0], [1000.0, 1030.0]], 1040.0)
    assert ends.per_minute == pytest.approx(2)
    assert (ends.trials, ends.first, ends.last) == (4, 0.0, 1030.0)


def test_a_single_trial_has_no_rate() -> None:
    assert Ends([[10.0]], 11.0).per_minute is None


def test_ratios_are_of_the_same_round() -> None:
    """The machine was four times as slow in the second round: 10, 5 and 20 times."""
    rates = {"kdsearch": (400.0, 100.0, 400.0), "ray": (40.0, 20.0, 20.0)}
    measurements = [measured(name, r, rate) for name, of in rates.items() for r, rate in enumerate(of)]
    summary = summarize(measurements)
    assert summary["ratios"] == {"kdsearch/ray": 10.0}
    assert summary["medians"]["ray"]["trials_per_minute"] == 20.0
    assert summary["rounds"] == 3


def test_the_table_is_made_of_what_was_printed() -> None:
    lines = [
        '{"agreement": "digits", "difference": 0.0}',
        *(
            f'{{"contender": "{name}", "round": {r}, "trials": 100, "trials_per_minute": {rate}, '
            '"seconds_to_first_result": 12.0, "seconds_after_last_result": 3.0, "load_average": 0.5}'
            for name, rate, r in (("kdsearch", 1300.0, 1), ("kdsearch", 1200.0, 2), ("ray", 13.0, 1), ("ray", 12.0, 2))
        ),
        "Ray says something",
    ]
    rows = table(read(lines)).splitlines()
    assert len(rows) == 4
    assert "| kdsearch | 1,250 (1,200–1,300) |  | 12 s | 3 s |" in rows[2]
    assert "| 12 (12–13) | 100.0 × |" in rows[3]


def test_a_contender_that_was_not_run_is_left_out() -> None:
    assert "Optuna," not in table([measured("kdsearch", 1, 100.0), measured("optuna_batch", 1, None)])
