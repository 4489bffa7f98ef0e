"""A real small sweep: the ledger, MLflow and the report agree, one to one."""

from __future__ import annotations

import json
import subprocess
from collections import Counter

import mlflow
import pytest
from mlflow.entities import Run

from kdsearch.ledger import Kind
from kdsearch.ledger import TrialState
from kdsearch.ledger import open_ledger
from kdsearch.seeds import derive_seed
from tests.e2e.alone import Alone
from tests.e2e.harness import TARGET
from tests.e2e.harness import Workplace


@pytest.fixture(scope="module")
def shown(shared_workplace: Workplace) -> subprocess.CompletedProcess[str]:
    """What the sweep that most of these tests look at has printed."""
    return shared_workplace.sweep("pruner=median")


@pytest.fixture(scope="module")
def finished(shared_workplace: Workplace, shown: subprocess.CompletedProcess[str]) -> Workplace:
    return shared_workplace


@pytest.fixture(scope="module")
def runs(finished: Workplace) -> dict[str, Run]:
    client = mlflow.MlflowClient(f"sqlite:///{finished.folder}/kdsearch-data/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    found = list(client.search_runs([experiment.experiment_id], max_results=1000))
    trials = {run.data.tags["kdsearch.trial"]: run for run in found if "kdsearch.trial" in run.data.tags}
    assert len(found) == len(trials) + 1, "one run per trial, and the parent"
    return trials


def test_every_trial_is_there_and_finished(finished: Workplace) -> None:
    records = finished.load().records
    assert len(records) == TARGET
    assert Counter((r.kind, r.sample_count) for r in records) == {
        (kind, n): count for n in (20, 50) for kind, count in zip(Kind, (3, 3, 8), strict=True)
    }
    assert all(record.state.is_finished for record in records)


def test_the_terminal_shows_results_and_none_of_the_chatter(shown: subprocess.CompletedProcess[str]) -> None:
    assert f"1/{TARGET} trials" in shown.stdout and "labels only" in shown.stdout
    assert "kdsearch ui digits" in shown.stdout and "kdsearch resume digits" in shown.stdout
    for noise in ("ray", "optuna", "alembic", "INFO", "WARNING"):
        assert noise not in shown.stdout.replace("starting Ray", "")
    assert shown.stderr == ""


def test_status_says_complete_and_verified(finished: Workplace) -> None:
    status = finished.status()
    assert status["state"] == "complete"
    assert status["target"] == TARGET == sum(status["trials"].values())
    assert status["trials"]["RUNNING"] == status["trials"]["WAITING"] == 0
    mlflow_counts = {key: status["mlflow"][key] for key in ("runs", "missing", "duplicate", "open")}
    assert mlflow_counts == {"runs": TARGET, "missing": 0, "duplicate": 0, "open": 0}
    assert [best["sample_count"] for best in status["best"]] == [20, 50]
    for best in status["best"]:
        assert best["gain"] == pytest.approx(best["val_accuracy"] - best["labels_val_accuracy"])


def test_mlflow_says_what_the_ledger_says(finished: Workplace, runs: dict[str, Run]) -> None:
    statuses = {TrialState.COMPLETE: "FINISHED", TrialState.PRUNED: "KILLED", TrialState.FAIL: "FAILED"}
    records = {record.key: record for record in finished.load().records}
    assert runs.keys() == records.keys()
    for key, record in records.items():
        run = runs[key]
        assert run.info.status == statuses[record.state]
        assert run.data.tags["kdsearch.kind"] == record.kind.value
        assert run.data.params["sample_count"] == str(record.sample_count)
        assert run.data.params["objective"] == record.recipe.objective
        if record.state is TrialState.COMPLETE:
            for name, value in record.metrics.items():
                assert run.data.metrics[name] == pytest.approx(value, rel=1e-3, abs=1e-4)


def test_metric_series_are_complete_and_in_order(finished: Workplace, runs: dict[str, Run]) -> None:
    client = mlflow.MlflowClient(f"sqlite:///{finished.folder}/kdsearch-data/mlflow.db")
    ledger = open_ledger(f"sqlite:///{finished.folder}/kdsearch-data/ledger.db")
    for record in finished.load().records:
        series = ledger.series(record.key)
        assert len(series) == 4 or record.state is TrialState.PRUNED
        history = client.get_metric_history(runs[record.key].info.run_id, "epoch/val_accuracy")
        assert [point.step for point in sorted(history, key=lambda p: p.step)] == [point.epoch for point in series]
        if record.state is TrialState.COMPLETE:
            assert series[-1].metrics["val_accuracy"] == record.metrics["val_accuracy"]


def test_the_test_split_is_scored_in_confirmations_alone(finished: Workplace) -> None:
    for record in finished.load().records:
        assert ("test_accuracy" in record.metrics) == (record.kind is Kind.CONFIRM)


def test_the_report_keeps_its_contract(finished: Workplace) -> None:
    folder = finished.folder / "kdsearch-data" / "sweeps" / "digits" / "report"
    report = json.loads((folder / "report.json").read_text())
    records = finished.load().records
    assert [count["sample_count"] for count in report["counts"]] == [20, 50]
    for count in report["counts"]:
        labels = [
            record.metrics["test_accuracy"]
            for record in records
            if record.kind is Kind.CONFIRM
            and record.control == "labels"
            and record.sample_count == count["sample_count"]
        ]
        assert count["labels"]["mean"] == pytest.approx(sum(labels) / 2)
        assert count["labels"]["seeds"] == 2
        assert count["distilled"]["seeds"] == 2 and count["distilled"]["params"]
        assert count["gain"] == pytest.approx(count["distilled"]["mean"] - count["labels"]["mean"])
        assert set(count["controls"]) >= {"label_smoothing", "kl_t1"}
        assert "data_efficiency" in count
    assert report["teacher"]["hash"]
    assert "<html" in (folder / "report.html").read_text()


def test_running_it_again_changes_nothing(finished: Workplace) -> None:
    before = finished.load().records
    output = finished.sweep("pruner=median").stdout
    assert finished.load().records == before
    assert "labels only" in output


def test_another_config_under_the_same_name_is_refused(finished: Workplace) -> None:
    before = finished.load()
    refused = finished.sweep("pruner=median", "trials_per_count=4", "seed=1", expect=2)
    assert "trials_per_count" in refused.stderr and "seed" in refused.stderr
    assert finished.load() == before


def test_resume_extends_it_without_touching_what_is_there(finished: Workplace) -> None:
    before = {record.key: record for record in finished.load().records}
    finished.run("resume", "digits", "trials_per_count=4", "sample_counts=[20,50,100]")
    after = {record.key: record for record in finished.load().records}
    assert before.items() <= after.items()
    searched = Counter(record.sample_count for record in after.values() if record.kind is Kind.SEARCH)
    assert searched == {20: 4, 50: 4, 100: 4}
    status = finished.status()
    assert status["state"] == "complete"
    assert (status["mlflow"]["missing"], status["mlflow"]["duplicate"], status["mlflow"]["open"]) == (0, 0, 0)


@pytest.mark.slow
def test_a_trial_trained_again_on_its_own_gives_its_stored_value(workplace: Workplace) -> None:
    """With replicates: the stored value is the mean over the seeds that derive from the trial's."""
    alone_only = "resources.trials_per_worker=1"  # packed students differ in the last digits
    workplace.sweep("sample_counts=[50]", "trials_per_count=2", "confirm.top_k=0", "search.replicates=2", alone_only)
    sweep = workplace.load()
    alone = Alone(sweep)
    for record in sweep.records:
        results = [alone.metrics(record, seed) for seed in (record.seed, derive_seed(record.seed, "replicate", 1))]
        means = {name: sum(metrics[name] for metrics in results) / 2 for name in results[0]}
        assert means == record.metrics
        assert record.value == means["val_accuracy"]
