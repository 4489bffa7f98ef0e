from __future__ import annotations

import math
from typing import Any

import pytest

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import Point
from kdsearch.ledger.records import Reason
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.recipe import Recipe
from kdsearch.tracking.color import sample_count_color
from kdsearch.tracking.projection import Projection
from kdsearch.tracking.projection import project
from kdsearch.tracking.projection import rounded
from tests.factories import LABELS
from tests.factories import START
from tests.factories import make_control
from tests.factories import make_record
from tests.factories import make_series
from tests.factories import make_sweep

SWEEP = make_sweep()


def projected(record: TrialRecord, **fields: Any) -> Projection:
    return project(record, SWEEP, (50, 100, 200), **fields)


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (make_record(sample_count=300), "n=300 kl T=4.2 a=0.80"),
        (make_control(sample_count=300), "n=300 labels"),
        (
            make_control("label_smoothing=0.05", 300, recipe=Recipe("labels", 0.0, label_smoothing=0.05)),
            "n=300 label_smoothing=0.05",
        ),
        (make_record(kind=Kind.CONFIRM, sample_count=300, replicate=2, confirms="s#1"), "n=300 kl T=4.2 a=0.80 seed 2"),
        (
            make_record(kind=Kind.CONFIRM, sample_count=300, recipe=LABELS, control="labels", replicate=0),
            "n=300 labels seed 0",
        ),
    ],
)
def test_run_names_tell_trials_apart(record: TrialRecord, name: str) -> None:
    assert projected(record).name == name


@pytest.mark.parametrize(
    ("state", "status", "stop"),
    [
        (TrialState.COMPLETE, "FINISHED", "completed"),
        (TrialState.PRUNED, "KILLED", "pruned"),
        (TrialState.FAIL, "FAILED", "error"),
        (TrialState.RUNNING, "RUNNING", None),
        (TrialState.WAITING, "SCHEDULED", None),
    ],
)
def test_status_and_stop_tag_follow_the_state(state: TrialState, status: str, stop: str | None) -> None:
    reason = Reason.NON_FINITE if state is TrialState.FAIL else None
    run = projected(make_record(state=state, reason=reason))
    assert run.status == status
    assert run.final_tags.get("kdsearch.stop") == stop
    assert run.final_tags.get("kdsearch.reason") == (reason and reason.value)
    assert (run.end is not None) == state.is_finished


def test_only_complete_trials_have_final_metrics() -> None:
    series = make_series(epochs=2)
    for state in (TrialState.PRUNED, TrialState.FAIL):
        keys = {
            point.key
            for point in projected(make_record(state=state, metrics={"val_accuracy": 0.1}), series=series).metrics
        }
        assert keys == {"epoch/val_accuracy", "epoch/train_loss"}
    record = make_record(metrics={"val_accuracy": 0.123456789, "val_nll": 0.00123456789})
    final = {
        p.key: p
        for p in projected(record, series=series, extra_metrics={"gain_over_labels": 0.03337}).metrics
        if "/" not in p.key
    }
    assert {key: point.value for key, point in final.items()} == {
        "val_accuracy": 0.1235,
        "val_nll": 0.00123457,
        "gain_over_labels": 0.0334,
        "log10_sample_count": 2.0,
        "log10_temperature": round(math.log10(4.2), 4),
    }
    assert {point.step for point in final.values()} == {0}
    assert {point.time for point in final.values()} == {int(START.timestamp() * 1000) + 30_000}


def test_series_keep_their_epochs_and_the_ledgers_times() -> None:
    points = [
        point for point in projected(make_record(), series=make_series(3)).metrics if point.key == "epoch/val_accuracy"
    ]
    begin = int(START.timestamp() * 1000)
    assert [(point.step, point.time) for point in points] == [(1, begin + 500), (2, begin + 1000), (3, begin + 1500)]


def test_a_metric_that_is_computed_once_has_no_curve() -> None:
    final = {"val_accuracy": 0.6, "val_ece": 0.03}
    series = [Point(1, 10, {"val_accuracy": 0.5}), Point(2, 20, final)]
    keys = [point.key for point in projected(make_record(metrics=final), series=series).metrics]
    assert keys.count("epoch/val_accuracy") == 2 and "val_ece" in keys
    assert "epoch/val_ece" not in keys


def test_numbers_that_are_not_finite_are_left_out() -> None:
    record = make_record(metrics={"val_accuracy": 0.5, "val_nll": math.inf})
    run = projected(record, series=[Point(1, 10, {"train_loss": math.nan, "val_nll": 1.0})])
    assert {point.key for point in run.metrics} == {
        "epoch/val_nll", "val_accuracy", "log10_sample_count", "log10_temperature",
    }  # fmt: skip


def test_params_are_the_whole_recipe_under_plain_names() -> None:
    recipe = Recipe("kl", 0.8, {"temperature": 4.187263548273}, training={"learning_rate": 0.1})
    params = projected(make_record(3, recipe=recipe)).params
    assert params == {
        "objective": "kl",
        "alpha": "0.8",
        "temperature": "4.187263548273",
        "learning_rate": "0.1",
        "sample_count": "100",
        "seed": "1003",
        "subset_seed": "7",
    }
    assert projected(make_control("kl_t1")).params["control"] == "kl_t1"


def test_a_failures_note_holds_reason_and_the_end_of_a_long_error() -> None:
    error = "start " + 9000 * "x" + " ValueError: the end"
    note = projected(make_record(state=TrialState.FAIL, reason=Reason.USER_CODE, error=error)).final_tags[
        "mlflow.note.content"
    ]
    assert note.startswith("user_code\n")
    assert "ValueError: the end" in note
    assert "start" not in note
    assert len(note) <= 8000


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("val_accuracy", 0.8737736537, 0.8738),
        ("test_noise_accuracy_0.3", 0.8737736537, 0.8738),
        ("membership_auc", 0.5123456, 0.5123),
        ("val_kl_to_teacher", 0.000123456789, 0.000123457),
        ("val_nll", 0.000123456789, 0.000123457),
        ("train_loss", 12345678.0, 12345700.0),
    ],
)
def test_rounding(key: str, value: float, shown: float) -> None:
    assert rounded(key, value) == shown


def test_colors_spread_over_the_sweeps_counts() -> None:
    counts = (10, 100, 1000)
    colors = [sample_count_color(count, counts) for count in counts]
    assert colors == ["#440154", "#277f8e", "#a0da39"]
    assert sample_count_color(5, (5,)) == "#440154"
