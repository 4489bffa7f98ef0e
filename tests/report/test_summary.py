from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import Reason
from kdsearch.ledger.records import SweepState
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.recipe import Recipe
from kdsearch.report import gain_over_labels
from kdsearch.report import labels_baselines
from kdsearch.report import leaderboard
from kdsearch.report import next_commands
from kdsearch.report import render_status
from kdsearch.report import status
from kdsearch.report import summarize
from kdsearch.report import verdict
from kdsearch.tracking.verify import Agreement
from tests.factories import LABELS
from tests.factories import START
from tests.factories import make_confirmations
from tests.factories import make_control
from tests.factories import make_record
from tests.factories import make_sweep

SWEEP = make_sweep()
HOT = Recipe("kl", 1.0, {"temperature": 20.0})
COLD = Recipe("kl", 1.0, {"temperature": 1.0})


def confirmed_count(count: int, labels: list[float], distilled: list[float]) -> list[TrialRecord]:
    """One count with two searched recipes, two controls, and all confirmed but the worse recipe."""
    return [
        make_record(0, sample_count=count, value=0.70),
        make_record(1, sample_count=count, value=0.75, recipe=HOT),
        make_control(sample_count=count, val_accuracy=0.60),
        make_control("kl_t1", count, 0.61, number=1, recipe=COLD),
        *make_confirmations(f"sweep/n={count}#1", distilled, distilled, count, HOT),
        *make_confirmations(f"c{count}#0", labels, labels, count, LABELS, "labels", first_number=20),
        *make_confirmations(f"c{count}#1", labels, labels, count, COLD, "kl_t1", first_number=40),
    ]


RECORDS = [
    *confirmed_count(50, labels=[0.60, 0.62], distilled=[0.70, 0.74]),
    *confirmed_count(100, labels=[0.70, 0.74], distilled=[0.80, 0.80]),
    *confirmed_count(200, labels=[0.79, 0.81], distilled=[0.82, 0.80]),
]


def shown(renderable: object, width: int = 120) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_confirmed_counts_are_about_the_test_split() -> None:
    first, second, third = summarize(SWEEP, RECORDS)
    assert [summary.sample_count for summary in (first, second, third)] == [50, 100, 200]
    assert {summary.evaluated_on for summary in (first, second, third)} == {"test"}
    assert first.recipe == HOT
    assert first.labels is not None and first.labels.mean == pytest.approx(0.61)
    assert first.distilled is not None and first.distilled.mean == pytest.approx(0.72)
    assert first.gain is not None and first.gain.mean == pytest.approx(0.11)
    assert first.gain.ci95 == pytest.approx(12.706205 * 0.01, rel=1e-5)
    assert set(first.controls) == {"kl_t1"}
    assert first.data_efficiency.value == pytest.approx(2.0)
    assert second.data_efficiency.value == pytest.approx(2.0)
    assert third.data_efficiency.value is None and third.data_efficiency.at_least == 1.0


def test_the_search_is_told_on_validation() -> None:
    summary = summarize(SWEEP, RECORDS)[0]
    assert summary.best is not None and summary.best.recipe == HOT
    assert summary.labels_trial is not None and summary.labels_trial.control == "labels"
    assert summary.validation_gain == pytest.approx(0.15)
    assert summary.trials[TrialState.COMPLETE] == 2


def test_a_searched_rival_is_the_baseline_when_it_is_better() -> None:
    rival = make_control(
        number=5,
        val_accuracy=0.66,
        recipe=Recipe("labels", 0.0, training={"learning_rate": 0.1}),
        params={"learning_rate": 0.1},
    )
    smoothing = make_control(
        "label_smoothing", number=6, val_accuracy=0.9, recipe=Recipe("labels", 0.0, label_smoothing=0.1)
    )
    records = [make_control(val_accuracy=0.60), rival, smoothing, make_record(0, value=0.70)]
    summary = next(summary for summary in summarize(SWEEP, records) if summary.sample_count == 100)
    assert summary.labels_trial == rival
    assert summary.validation_gain == pytest.approx(0.04)
    assert set(summary.controls) == {"label_smoothing"}


def test_without_confirmation_the_validation_split_is_used_and_said() -> None:
    records = [record for record in RECORDS if record.kind is not Kind.CONFIRM]
    summary = summarize(SWEEP, records)[0]
    assert summary.evaluated_on == "validation"
    assert summary.gain is not None and summary.gain.ci95 is None
    assert summary.gain.mean == pytest.approx(0.15)
    assert "not confirmed on the test split" in verdict(SWEEP, records)


def test_a_minimised_metric_finds_the_lowest() -> None:
    sweep = make_sweep(config={"search": {"metric": "val_nll"}})
    records = [
        make_record(0, value=0.9, metrics={"val_nll": 0.9, "val_accuracy": 0.6}),
        make_record(1, value=0.4, metrics={"val_nll": 0.4, "val_accuracy": 0.8}),
        make_control(value=0.7, metrics={"val_nll": 0.7, "val_accuracy": 0.7}),
    ]
    summary = next(summary for summary in summarize(sweep, records) if summary.sample_count == 100)
    assert summary.best == records[1]
    assert summary.validation_gain == pytest.approx(0.1)


def test_gain_over_labels_is_known_for_complete_trials_with_a_baseline() -> None:
    baselines = labels_baselines([make_control(val_accuracy=0.6)], "val_accuracy")
    assert gain_over_labels(make_record(value=0.7), baselines.get(100)) == {"gain_over_labels": pytest.approx(0.1)}
    assert gain_over_labels(make_record(value=0.7), baselines.get(50)) == {}
    assert gain_over_labels(make_record(state=TrialState.PRUNED), baselines.get(100)) == {}


def test_status_document() -> None:
    failed = make_record(7, sample_count=50, state=TrialState.FAIL, reason=Reason.NON_FINITE)
    running = make_record(8, sample_count=50, state=TrialState.RUNNING)
    sweep = make_sweep(
        state=SweepState.RUNNING, attempts=tuple(replace(a, ended=None, outcome=None) for a in SWEEP.attempts)
    )
    records = [*RECORDS, failed, running]
    found = status(sweep, records, Agreement(2, ()), START + timedelta(seconds=90))
    assert found["state"] == "running" and found["uid"] == sweep.uid and found["target"] == sweep.target
    assert found["trials"] == {"WAITING": 0, "RUNNING": 1, "COMPLETE": len(RECORDS), "PRUNED": 0, "FAIL": 1}
    assert found["mlflow"] == {"runs": 2, "missing": 0, "duplicate": 0, "open": 0, "status": 0, "unknown": 0}
    assert found["disagreements"] == []
    assert found["failures"] == {"non_finite": 1}
    assert found["seconds_used"] == 90.0
    best = found["best"][0]
    assert best["sample_count"] == 50
    assert best["params"] == {"objective": "kl", "alpha": 1.0, "temperature": 20.0}
    assert (best["val_accuracy"], best["labels_val_accuracy"]) == (0.75, 0.60)
    assert best["gain"] == pytest.approx(0.15)
    text = shown(render_status(found))
    assert "1 non_finite" in text and "1:30 used" in text and "one to one with the ledger" in text


def test_status_tells_what_went_out_again_why_trials_failed_and_how_long_it_takes() -> None:
    crashed = make_record(0, restarts=2, attempts=(1, 2))
    failed = make_record(1, state=TrialState.FAIL, reason=Reason.USER_CODE, error="Traceback …\nValueError: no")
    sweep = make_sweep(state=SweepState.INTERRUPTED, target=6)
    document = status(sweep, [crashed, failed, make_record(2, losses=1)])
    assert document["interruptions"] == {"crashed": 2, "lost": 1, "continued": 1}
    assert document["errors"] == [{"reason": "user_code", "trial": failed.key, "error": "ValueError: no"}]
    assert (document["seconds_used"], document["seconds_left"]) == (120.0, 120.0)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(render_status(document))
    text = console.export_text()
    for words in ("2:00 used, about 2:00 left", "2 crashed, 1 lost, 1 continued", "ValueError: no", "process 4242"):
        assert words in text


def test_what_was_dropped_is_told_and_is_no_failure() -> None:
    dropped = make_record(1, state=TrialState.FAIL, reason=Reason.DROPPED, error="the sweep was changed")
    document = status(SWEEP, [make_record(0), dropped])
    assert (document["failures"], document["errors"], document["dropped"]) == ({}, [], 1)
    text = shown(render_status(document))
    assert "dropped: 1" in text and "failed:" not in text
    assert "failed" not in shown(leaderboard(SWEEP, [make_record(0), dropped], Path("/data")))


def test_status_tells_what_is_left_of_the_time_budget() -> None:
    config = {**SWEEP.config, "time_budget": 300.0}
    sweep = make_sweep(state=SweepState.INTERRUPTED, target=600, config=config, search_seconds=90.0)
    document = status(sweep, [make_record(0)])
    assert (document["search_seconds"], document["seconds_left"]) == (90.0, 210.0)
    assert "1:30 of time_budget=5:00 searched" in shown(render_status(document))


def test_status_names_what_disagrees() -> None:
    keys = [record.key for record in RECORDS[:7]]
    found = status(SWEEP, RECORDS, Agreement(3, (*(("missing", key) for key in keys), ("open", "digits"))))
    assert (found["mlflow"]["missing"], found["mlflow"]["open"]) == (7, 1)
    assert found["disagreements"][-1] == {"what": "open", "trial": "digits"}
    text = shown(render_status(found))
    assert f"missing: {', '.join(keys[:5])}, …" in text and "open: digits" in text


def test_status_needs_no_heavy_import() -> None:
    """`kdsearch status` must answer in a moment, also of a confirmed sweep."""
    program = """
import sys
from kdsearch.report import status
from tests.report.test_summary import RECORDS, SWEEP
before = set(sys.modules)
status(SWEEP, RECORDS)
print([name for name in ("numpy", "scipy", "sklearn", "torch", "ray", "mlflow") if name in set(sys.modules) - before])
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"


def test_leaderboard_shows_gain_efficiency_failures_and_what_to_type() -> None:
    failed = make_record(7, sample_count=50, state=TrialState.FAIL, reason=Reason.NON_FINITE)
    text = shown(leaderboard(SWEEP, [*RECORDS, failed], Path("/data")))
    row = next(line for line in text.splitlines() if "61.0" in line)
    assert "72.0" in row and "+11.0 ± 12.7" in row and "≈ 2.0× labels" in row and "kl T=20 a=1.00" in row
    assert "1 trials failed: 1 non_finite" in text
    assert "kdsearch ui digits\n" in text
    assert "kdsearch resume digits trials_per_count=40" in text


@pytest.mark.parametrize("width", [80, 120])
def test_leaderboard_has_room_for_its_recipes(width: int) -> None:
    recipe = Recipe("kl", 0.87, {"temperature": 34.3}, teacher="a teacher with a long name")
    accuracies = {"labels": [0.601, 0.623, 0.612], "distilled": [0.700, 0.734, 0.711]}
    records = [replace(r, recipe=recipe) if r.control is None else r for r in confirmed_count(50, **accuracies)]
    text = shown(leaderboard(SWEEP, records), width=width)
    assert max(map(len, text.splitlines())) <= width and "…" not in text
    assert "best recipe" in text and "kl T=34.3" in text and "a teacher" in text


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "kdsearch report digits"),
        (
            {"storage": "/elsewhere", "ledger": "sqlite:////elsewhere/ledger.db", "mlflow": {"tracking_uri": None}},
            "kdsearch report digits storage=/elsewhere",
        ),
        (
            {"ledger": "postgresql://kd:${oc.env:PW}@db/kd", "mlflow": {"tracking_uri": "http://mlflow:5000"}},
            "kdsearch report digits 'ledger=postgresql://kd:${oc.env:PW}@db/kd' mlflow.tracking_uri=http://mlflow:5000",
        ),
    ],
)
def test_commands_name_locations_that_are_not_the_default(config: dict[str, object], expected: str) -> None:
    assert next_commands(make_sweep(config=config), Path("/data"))[1] == expected


def test_an_unfinished_sweep_is_resumed_as_it_is() -> None:
    assert next_commands(make_sweep(state=SweepState.INTERRUPTED), Path("/data"))[2] == "kdsearch resume digits"


def test_verdict_names_the_largest_gain_with_its_interval() -> None:
    records = [
        *confirmed_count(50, labels=[0.60, 0.62, 0.61], distilled=[0.70, 0.73, 0.71]),
        *confirmed_count(100, labels=[0.70, 0.72, 0.71], distilled=[0.80, 0.79, 0.81]),
    ]
    assert verdict(SWEEP, records) == (
        "Distillation gains most at n=50: +10.3 points of test accuracy (95 % interval +8.3 to +12.4, for all 2 sample"
        " counts together) with kl T=20 a=1.00, better than labels only with 2.0 times the labels."
    )


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([], "No searched trial has finished."),
        ([make_record(state=TrialState.FAIL, reason=Reason.NON_FINITE)], "Every trial failed (1 non_finite)."),
        ([make_record(value=0.7)], "its gain is not known"),
        ([make_record(value=0.6), make_control(val_accuracy=0.7)], "No clear gain over labels only"),
        (RECORDS[11:22], "No clear gain over labels only"),
    ],
)
def test_verdict_when_there_is_no_gain_to_tell(records: list[TrialRecord], words: str) -> None:
    assert words in verdict(SWEEP, records)


def test_an_unfinished_sweep_says_how_far_it_is() -> None:
    text = verdict(make_sweep(state=SweepState.INTERRUPTED), [make_record(value=0.7)])
    assert text.startswith("Interrupted, 1 of 102 trials done. ")
