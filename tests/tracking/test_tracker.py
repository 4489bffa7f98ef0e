"""The tracker against a real MLflow on SQLite: one database for the module, a sweep of its own for each test."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kdsearch.ledger.records import Point
from kdsearch.ledger.records import Reason
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import SweepState
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.recipe import Recipe
from kdsearch.tracking import Tracker
from kdsearch.tracking import verify
from kdsearch.tracking.findings import Findings
from kdsearch.tracking.findings import findings
from kdsearch.tracking.verify import compare
from kdsearch.tracking.views import TAG_PREFIX
from kdsearch.tracking.views import decode_state
from tests.factories import LABELS
from tests.factories import make_confirmations
from tests.factories import make_control
from tests.factories import make_record
from tests.factories import make_series
from tests.factories import make_sweep

PATIENCE = 60.0
DELIVERY = 60.0
AGREED = {"runs": 3, "missing": 0, "duplicate": 0, "open": 0, "status": 0, "unknown": 0}

NewTracker = Callable[..., Tracker]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="module")
def uri(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


@pytest.fixture(scope="module")
def client(uri: str) -> Any:
    from kdsearch.tracking.runs import MlflowClient

    return MlflowClient(uri)


@pytest.fixture
def sweep() -> SweepRecord:
    uid = uuid.uuid4().hex
    return make_sweep(f"s{uid[:8]}", uid=uid)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def new_tracker(uri: str, folder: Path, warnings: list[str]) -> Iterator[NewTracker]:
    started = []

    def start(sweep: SweepRecord) -> Tracker:
        tracker = Tracker(
            uri, sweep.name, sweep, sweep.config, warnings.append, PATIENCE, str(folder / "mlflow-artifacts")
        )
        tracker.start()
        started.append(tracker)
        return tracker

    yield start
    for tracker in started:
        tracker.close()


def runs_of(client: Any, sweep: SweepRecord, kind: str = "kdsearch.trial") -> list[Any]:
    experiment = client.get_experiment_by_name(sweep.name)
    found = client.search_runs([experiment.experiment_id], f"tags.`kdsearch.uid` = '{sweep.uid}'", max_results=1000)
    return [run for run in found if kind in run.data.tags]


def parent_of(client: Any, sweep: SweepRecord) -> Any:
    (parent,) = [run for run in runs_of(client, sweep, "kdsearch.kind") if run.data.tags["kdsearch.kind"] == "sweep"]
    return parent


def run_of(client: Any, sweep: SweepRecord, record: TrialRecord) -> Any:
    (run,) = [run for run in runs_of(client, sweep) if run.data.tags["kdsearch.trial"] == record.key]
    return run


def points(client: Any, run: Any, key: str) -> list[tuple[int, float, int]]:
    return [(metric.step, metric.value, metric.timestamp) for metric in client.get_metric_history(run.info.run_id, key)]


class Series:
    """The ledger's series, noting whose was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, record: TrialRecord) -> list[Point]:
        self.asked.append(record.key)
        return make_series(3)


def deliver(tracker: Tracker, state: SweepState = SweepState.COMPLETE, **fields: Any) -> None:
    assert tracker.finish(state, Findings("verdict"), None, DELIVERY, **fields)


def test_a_trial_becomes_one_closed_run(
    client: Any, sweep: SweepRecord, new_tracker: NewTracker, warnings: list[str]
) -> None:
    tracker = new_tracker(sweep)
    running = make_record(0, state=TrialState.RUNNING)
    complete = make_record(0, metrics={"val_accuracy": 0.87654321, "val_nll": 0.5})
    tracker.trial_started(running)
    tracker.trial_finished(complete, make_series(20), {"gain_over_labels": 0.1})
    deliver(tracker)
    run = run_of(client, sweep, complete)
    parent = parent_of(client, sweep)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "n=100 kl T=4.2 a=0.80"
    assert complete.started is not None and complete.ended is not None
    assert run.info.start_time == int(complete.started.timestamp() * 1000)
    assert run.info.end_time == int(complete.ended.timestamp() * 1000)
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert {key: run.data.tags[f"kdsearch.{key}"] for key in ("sweep", "kind", "study", "trial", "stop")} == {
        "sweep": sweep.name,
        "kind": "search",
        "study": "sweep/n=100",
        "trial": "sweep/n=100#0",
        "stop": "completed",
    }
    assert run.data.tags["mlflow.runColor"].startswith("#")
    assert run.data.params["temperature"] == "4.2"
    assert run.data.metrics["val_accuracy"] == 0.8765
    assert run.data.metrics["gain_over_labels"] == 0.1
    assert [step for step, _, _ in points(client, run, "epoch/val_accuracy")] == list(range(1, 21))
    assert warnings == []


def test_pruned_and_failed_trials_keep_their_series_but_have_no_final_metrics(
    client: Any, sweep: SweepRecord, new_tracker: NewTracker
) -> None:
    tracker = new_tracker(sweep)
    pruned = make_record(1, state=TrialState.PRUNED)
    failed = make_record(2, state=TrialState.FAIL, reason=Reason.NON_FINITE, error="loss is nan at step 3")
    tracker.trial_finished(pruned, make_series(4))
    tracker.trial_finished(failed, make_series(2))
    deliver(tracker)
    run = run_of(client, sweep, pruned)
    assert (run.info.status, run.data.tags["kdsearch.stop"]) == ("KILLED", "pruned")
    assert set(run.data.metrics) == {"epoch/val_accuracy", "epoch/train_loss"}
    run = run_of(client, sweep, failed)
    assert (run.info.status, run.data.tags["kdsearch.stop"]) == ("FAILED", "error")
    assert run.data.tags["kdsearch.reason"] == "non_finite"
    assert "loss is nan at step 3" in run.data.tags["mlflow.note.content"]
    assert set(run.data.metrics) == {"epoch/val_accuracy", "epoch/train_loss"}


def test_the_parent_ends_as_the_sweep_does(
    client: Any, sweep: SweepRecord, new_tracker: NewTracker, tmp_path: Path
) -> None:
    (tmp_path / "report.html").write_text("<p>report</p>")
    tracker = new_tracker(sweep)
    assert tracker.finish(SweepState.INTERRUPTED, Findings("So far nothing.", "more"), tmp_path, DELIVERY)
    parent = parent_of(client, sweep)
    assert parent.info.status == "KILLED"
    assert parent.data.tags["mlflow.note.content"].splitlines()[0].rstrip() == "So far nothing."
    names = {artifact.path for artifact in client.list_artifacts(parent.info.run_id)}
    assert names == {"report.html", "sweep.yaml"}
    deliver(new_tracker(sweep), SweepState.STOPPED, too_many_failures=True)
    assert parent_of(client, sweep).info.status == "FAILED"
    deliver(new_tracker(sweep))
    assert parent_of(client, sweep).info.status == "FINISHED"
    assert parent_of(client, sweep).info.run_id == parent.info.run_id


def test_a_complete_sweep_whose_own_run_is_not_closed_disagrees(
    client: Any, uri: str, sweep: SweepRecord, new_tracker: NewTracker
) -> None:
    """A driver was killed between the last trial and the end of the sweep's run."""
    record = make_record(0)
    tracker = new_tracker(sweep)
    tracker.trial_finished(record, make_series(2))
    while verify(uri, sweep, [record])["runs"] == 0 or run_of(client, sweep, record).info.status != "FINISHED":
        time.sleep(0.05)
    tracker.close()
    agreed = {**AGREED, "runs": 1}
    assert verify(uri, replace(sweep, state=SweepState.RUNNING), [record]) == agreed
    assert verify(uri, sweep, [record]) == {**agreed, "open": 1}
    deliver(new_tracker(sweep), SweepState.INTERRUPTED)
    assert verify(uri, sweep, [record]) == {**agreed, "status": 1}
    deliver(new_tracker(sweep))
    assert verify(uri, sweep, [record]) == agreed


def test_artifacts_stay_out_of_the_working_folder(
    sweep: SweepRecord, new_tracker: NewTracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    deliver(new_tracker(sweep))
    assert list(tmp_path.iterdir()) == []
    assert list((folder / "mlflow-artifacts").rglob("sweep.yaml"))


def test_writing_the_same_twice_writes_nothing_twice(client: Any, sweep: SweepRecord, new_tracker: NewTracker) -> None:
    record = make_record(0)
    written = []
    for _ in range(2):
        tracker = new_tracker(sweep)
        tracker.trial_started(replace(record, state=TrialState.RUNNING))
        tracker.trial_finished(record, make_series(5), {"gain_over_labels": 0.1})
        deliver(tracker)
        run = run_of(client, sweep, record)
        written.append({key: points(client, run, key) for key in run.data.metrics})
    assert written[0] == written[1]
    assert len(written[0]["epoch/train_loss"]) == 5


def test_a_long_series_is_written_whole(client: Any, sweep: SweepRecord, new_tracker: NewTracker) -> None:
    record = make_record(0)
    tracker = new_tracker(sweep)
    tracker.trial_finished(record, make_series(1200))
    deliver(tracker)
    run = run_of(client, sweep, record)
    assert [step for step, _, _ in points(client, run, "epoch/val_accuracy")] == list(range(1, 1201))


def test_an_interrupted_trial_goes_on_in_its_run(client: Any, sweep: SweepRecord, new_tracker: NewTracker) -> None:
    running = make_record(0, state=TrialState.RUNNING)
    waiting = replace(running, state=TrialState.WAITING)
    tracker = new_tracker(sweep)
    tracker.trial_started(running)
    tracker.trial_interrupted(waiting)
    deliver(tracker, SweepState.INTERRUPTED)
    first = run_of(client, sweep, running)
    assert first.info.status == "SCHEDULED"
    tracker = new_tracker(sweep)
    tracker.trial_started(running)
    tracker.trial_finished(make_record(0), make_series(2))
    deliver(tracker)
    again = run_of(client, sweep, running)
    assert (again.info.run_id, again.info.status) == (first.info.run_id, "FINISHED")


def test_reconcile_makes_mlflow_agree_with_the_ledger(
    client: Any, uri: str, sweep: SweepRecord, new_tracker: NewTracker
) -> None:
    """What a killed driver leaves: a run never created, one left open, one doubled. A stranger's run is left alone."""
    missing, left_open, doubled = records = [make_record(0), make_record(1), make_record(2)]
    tracker = new_tracker(sweep)
    tracker.trial_started(replace(left_open, state=TrialState.RUNNING))
    tracker.trial_finished(doubled, make_series(3))
    tracker.trial_finished(make_record(99), make_series(3))
    deliver(tracker, SweepState.INTERRUPTED)
    kept = run_of(client, sweep, doubled)
    client.create_run(kept.info.experiment_id, start_time=kept.info.start_time - 5, tags=kept.data.tags)
    interrupted = replace(sweep, state=SweepState.INTERRUPTED)
    wrong = {**AGREED, "runs": 2, "missing": 1, "duplicate": 1, "open": 2, "unknown": 1}
    assert verify(uri, interrupted, records) == wrong
    assert set(compare(uri, interrupted, records).disagreements) == {
        ("missing", missing.key),
        ("duplicate", doubled.key),
        ("open", left_open.key),
        ("open", doubled.key),
        ("unknown", make_record(99).key),
    }

    series = Series()
    tracker = new_tracker(sweep)
    tracker.reconcile(records, series, lambda record: {"gain_over_labels": 0.2})
    deliver(tracker)
    assert verify(uri, sweep, records) == {**AGREED, "unknown": 1}
    assert series.asked == [missing.key, left_open.key]
    assert {run.info.status for run in runs_of(client, sweep)} == {"FINISHED"}
    assert run_of(client, sweep, doubled).info.run_id == kept.info.run_id
    assert run_of(client, sweep, missing).data.metrics["gain_over_labels"] == 0.2
    assert len(points(client, run_of(client, sweep, left_open), "epoch/train_loss")) == 3


def test_reconcile_does_not_touch_what_agrees(client: Any, sweep: SweepRecord, new_tracker: NewTracker) -> None:
    record = make_record(0)
    tracker = new_tracker(sweep)
    tracker.trial_finished(record, make_series(3))
    deliver(tracker)
    series = Series()
    tracker = new_tracker(sweep)
    tracker.reconcile([record], series)
    deliver(tracker)
    assert series.asked == []


def test_reconcile_suspends_what_waits_and_creates_no_run_for_what_never_started(
    client: Any, uri: str, sweep: SweepRecord, new_tracker: NewTracker
) -> None:
    begun = make_record(0, state=TrialState.WAITING, attempts=(1,))
    fresh = make_record(1, state=TrialState.WAITING)
    tracker = new_tracker(sweep)
    tracker.trial_started(replace(begun, state=TrialState.RUNNING))
    deliver(tracker, SweepState.INTERRUPTED)
    interrupted = replace(sweep, state=SweepState.INTERRUPTED)
    assert verify(uri, interrupted, [begun, fresh])["open"] == 1
    tracker = new_tracker(sweep)
    tracker.reconcile([begun, fresh], lambda record: [])
    deliver(tracker, SweepState.INTERRUPTED)
    assert run_of(client, sweep, begun).info.status == "SCHEDULED"
    assert verify(uri, interrupted, [begun, fresh]) == {**AGREED, "runs": 1}


def test_more_sample_counts_recolor_the_runs(client: Any, sweep: SweepRecord, new_tracker: NewTracker) -> None:
    record = make_record(0, sample_count=50)
    tracker = new_tracker(sweep)
    tracker.trial_finished(record, [])
    deliver(tracker)
    before = run_of(client, sweep, record).data.tags["mlflow.runColor"]
    extended = replace(sweep, config={**sweep.config, "sample_counts": [10, 50, 100, 200]})
    tracker = new_tracker(extended)
    tracker.reconcile([record], lambda record: [])
    deliver(tracker)
    assert run_of(client, sweep, record).data.tags["mlflow.runColor"] != before


def test_two_sweeps_of_one_name_do_not_touch_each_other(
    client: Any, uri: str, sweep: SweepRecord, new_tracker: NewTracker
) -> None:
    other = replace(sweep, uid=uuid.uuid4().hex)
    mine, theirs = make_record(0), make_control(number=0)
    first, second = new_tracker(sweep), new_tracker(other)
    first.trial_finished(mine, make_series(2))
    second.trial_finished(theirs, make_series(2))
    deliver(first)
    deliver(second)
    assert first is not second and parent_of(client, sweep).info.run_id != parent_of(client, other).info.run_id
    tracker = new_tracker(other)
    tracker.reconcile([theirs], lambda record: [])
    deliver(tracker)
    assert verify(uri, sweep, [mine]) == {**AGREED, "runs": 1}
    assert verify(uri, other, [theirs]) == {**AGREED, "runs": 1}
    experiment = client.get_experiment_by_name(sweep.name)
    ids = [key for key in experiment.tags if key.startswith(TAG_PREFIX)]
    assert {key.removeprefix(TAG_PREFIX)[:17] for key in ids} == {
        f"kdsearch-{uid[:8]}" for uid in (sweep.uid, other.uid)
    }


def test_a_param_that_changed_its_spelling_does_not_stop_the_writing(
    client: Any, sweep: SweepRecord, new_tracker: NewTracker
) -> None:
    record = make_record(0)
    tracker = new_tracker(sweep)
    tracker.trial_started(replace(record, state=TrialState.RUNNING))
    deliver(tracker, SweepState.INTERRUPTED)
    client.log_param(run_of(client, sweep, record).info.run_id, "temperature", "4.20")
    tracker = new_tracker(sweep)
    tracker.trial_finished(record, make_series(2))
    deliver(tracker)
    run = run_of(client, sweep, record)
    assert run.info.status == "FINISHED"
    assert (run.data.params["temperature"], run.data.params["alpha"]) == ("4.20", "0.8")


def test_a_deleted_run_is_a_warning_and_is_written_again_by_the_next_attempt(
    client: Any, uri: str, sweep: SweepRecord, new_tracker: NewTracker, warnings: list[str]
) -> None:
    record = make_record(0)
    tracker = new_tracker(sweep)
    tracker.trial_finished(record, make_series(2))
    deliver(tracker)
    client.delete_run(run_of(client, sweep, record).info.run_id)
    tracker.trial_finished(record, make_series(2))
    assert not tracker.finish(SweepState.COMPLETE, Findings("verdict"), None, DELIVERY)
    assert tracker.undelivered == [record.key] and len(warnings) == 1
    assert tracker.failure is None
    tracker = new_tracker(sweep)
    tracker.reconcile([record], lambda record: make_series(2))
    deliver(tracker)
    assert verify(uri, sweep, [record]) == {**AGREED, "runs": 1}


def saved_views(client: Any, sweep: SweepRecord) -> dict[str, dict[str, Any]]:
    tags = client.get_experiment_by_name(sweep.name).tags
    prefix = f"{TAG_PREFIX}kdsearch-{sweep.uid[:8]}-"
    return {key.removeprefix(prefix): json.loads(value) for key, value in tags.items() if key.startswith(prefix)}


def test_saved_views_can_be_read_back(client: Any, sweep: SweepRecord, new_tracker: NewTracker) -> None:
    deliver(new_tracker(sweep))
    views = saved_views(client, sweep)
    menu = sorted(views, key=lambda name: -views[name]["createdAt"])
    assert menu == ["all", "best", "space", "controls", "curves", "confirmed", "n50", "n100", "n200"]
    assert all(sweep.uid in decode_state(view["state"])["searchFilter"] for view in views.values())
    confirmed = decode_state(views["confirmed"]["state"])
    assert "tags.`kdsearch.kind` = 'confirm'" in confirmed["searchFilter"]
    assert {"metrics.`val_accuracy`", "metrics.`test_accuracy`"} < set(confirmed["selectedColumns"])
    state = decode_state(views["n50"]["state"])
    assert "params.`sample_count` = '50'" in state["searchFilter"]
    assert state["orderByKey"] == "metrics.`val_accuracy`"
    assert {chart["type"] for chart in state["compareRunCharts"]} == {"CONTOUR", "SCATTER", "LINE"}


def test_the_views_filters_choose_the_runs_that_they_are_about(
    client: Any, sweep: SweepRecord, new_tracker: NewTracker
) -> None:
    tracker = new_tracker(sweep)
    labels = make_control(sample_count=50)
    records = [
        make_record(0, sample_count=50),
        make_record(1, sample_count=100),
        make_record(2, sample_count=50, state=TrialState.PRUNED),
        labels,
        *make_confirmations(labels.key, [0.5], [0.5], 50, LABELS, "labels"),
    ]
    for record in records:
        tracker.trial_finished(record, make_series(1))
    deliver(tracker)
    experiment = client.get_experiment_by_name(sweep.name).experiment_id

    def chosen(view: str) -> set[str]:
        state = decode_state(saved_views(client, sweep)[view]["state"])
        return {run.data.tags["kdsearch.trial"] for run in client.search_runs([experiment], state["searchFilter"])}

    keys = [record.key for record in records]
    searched, other, pruned, control, confirmation = keys
    assert chosen("all") == {searched, other, control, confirmation}
    assert chosen("best") == {searched, other, pruned}
    assert chosen("space") == {searched, other}
    assert chosen("controls") == {searched, other, control}
    assert chosen("curves") == {searched, other, pruned, control}
    assert chosen("confirmed") == {confirmation}
    assert chosen("n50") == {searched, control}


def test_views_look_for_new_runs_only_while_there_can_be_some(
    client: Any, sweep: SweepRecord, new_tracker: NewTracker
) -> None:
    tracker = new_tracker(sweep)
    tracker.trial_started(make_record(0, state=TrialState.RUNNING))
    while client.get_experiment_by_name(sweep.name) is None or "n200" not in saved_views(client, sweep):
        time.sleep(0.05)
    before = saved_views(client, sweep)
    deliver(tracker)
    after = saved_views(client, sweep)
    assert before.keys() == after.keys()
    for views, is_live in ((before, True), (after, False)):
        assert {decode_state(view["state"])["autoRefreshEnabled"] for view in views.values()} == {is_live}


def test_a_controls_groups_are_the_ones_that_the_view_folds(
    client: Any, sweep: SweepRecord, new_tracker: NewTracker
) -> None:
    """A group's id, as MLflow's page makes it, is spelled from the runs' params and tags."""
    config = {**sweep.config, "controls": ["labels", {"label_smoothing": [0.05, 0.1]}], "sample_counts": [50]}
    sweep = replace(sweep, config=config)
    smoothing = Recipe("labels", 0.0, label_smoothing=0.05)
    tracker = new_tracker(sweep)
    for record in (
        make_record(0, sample_count=50),
        make_control(sample_count=50),
        make_control("label_smoothing=0.05", 50, number=1, recipe=smoothing),
    ):
        tracker.trial_finished(record, [])
    deliver(tracker)
    state = decode_state(saved_views(client, sweep)["controls"]["state"])
    groups = set()
    for run in runs_of(client, sweep):
        values = {"param": run.data.params, "tag": run.data.tags}
        keys = [(key["mode"], key["groupByData"]) for key in state["groupBy"]["groupByKeys"]]
        groups.add(",".join(f"{mode}.{name}.{values[mode][name]}" for mode, name in keys))
    assert len(groups) == 3 and groups < state["groupsExpanded"].keys()


def test_the_sweeps_run_names_the_samples_of_its_search(
    client: Any, sweep: SweepRecord, new_tracker: NewTracker
) -> None:
    tracker = new_tracker(sweep)
    for record in (make_record(0), make_record(1), make_record(2, sample_count=50), make_record(3, subset_seed=8)):
        tracker.trial_finished(record, make_series(2))
    deliver(tracker)
    inputs = parent_of(client, sweep).inputs.dataset_inputs
    names = [used.dataset.name for used in inputs]
    assert sorted(names) == ["digits-n100", "digits-n100", "digits-n50"]
    assert len({used.dataset.digest for used in inputs}) == 3
    assert {tag.value for used in inputs for tag in used.tags} == {"training"}


def test_what_is_known_later_joins_a_runs_final_metrics(
    client: Any, sweep: SweepRecord, new_tracker: NewTracker
) -> None:
    record = make_record(0)
    tracker = new_tracker(sweep)
    tracker.trial_finished(record, make_series(2))
    for _ in range(2):
        tracker.trial_measured(record, {"gain_over_labels": 0.05})
    deliver(tracker)
    run = run_of(client, sweep, record)
    assert run.info.status == "FINISHED"
    assert [(step, value) for step, value, _ in points(client, run, "gain_over_labels")] == [(0, 0.05)]


def test_the_description_leads_to_report_views_and_figures(
    client: Any, sweep: SweepRecord, new_tracker: NewTracker, tmp_path: Path
) -> None:
    (tmp_path / "plots").mkdir()
    Image.new("RGB", (2000, 1000)).save(tmp_path / "plots" / "data_efficiency.png")
    (tmp_path / "report.html").write_text("<p>report</p>")
    (tmp_path / "trials.csv").write_text("n\n")
    tracker = new_tracker(sweep)
    found = Findings("Good.", "| n |\n| --- |\n| 50 |", {"best.json": "[]", "trials_table.json": "{}"})
    assert tracker.finish(SweepState.COMPLETE, found, tmp_path, DELIVERY)
    parent = parent_of(client, sweep)
    run_id, experiment_id = parent.info.run_id, parent.info.experiment_id
    text = parent.data.tags["mlflow.note.content"]
    verdict, links, *rest = text.splitlines()
    assert verdict.rstrip() == "Good."
    where = f"#/experiments/{experiment_id}/runs/{run_id}/artifacts/report.html?workflowType=machine_learning"
    assert f"[report]({where})" in links
    for view in saved_views(client, sweep):
        assert f"viewStateShareKey=kdsearch-{sweep.uid[:8]}-{view}&" in links
    assert f"(get-artifact?path=previews/data_efficiency.png&run_uuid={run_id})" in text
    assert rest[-1] == "| 50 |"
    assert client.get_experiment(experiment_id).tags["mlflow.note.content"] == text
    files = {file.path for file in client.list_artifacts(run_id)}
    with Image.open(client.download_artifacts(run_id, "previews/data_efficiency.png")) as preview:
        assert preview.size == (760, 380)
    assert files == {"report.html", "plots", "previews", "trials.csv", "best.json", "trials_table.json", "sweep.yaml"}
    assert json.loads(parent.data.tags["mlflow.loggedArtifacts"]) == [{"path": "trials_table.json", "type": "table"}]


def test_sweeps_can_be_compared_by_their_results(client: Any, sweep: SweepRecord, new_tracker: NewTracker) -> None:
    records = [
        record
        for count, labels, distilled in ((50, 0.5, 0.75), (100, 0.75, 0.8))
        for record in (
            make_control(sample_count=count, val_accuracy=labels),
            make_record(count, sample_count=count, value=distilled),
        )
    ]
    for _ in range(2):  # the second attempt has nothing new to say
        found = findings(sweep, records)
        assert new_tracker(sweep).finish(SweepState.COMPLETE, found, None, DELIVERY)
    parent = parent_of(client, sweep)
    said = parent.data.metrics
    assert (said["val_accuracy/n50"], said["labels_val_accuracy/n50"], said["gain_over_labels/n50"]) == (
        0.75,
        0.5,
        0.25,
    )
    assert (said["val_accuracy/n100"], said["gain_over_labels/n100"]) == (0.8, 0.05)
    assert said["data_efficiency/n50"] == 2.0
    curve = points(client, parent, "by_sample_count/val_accuracy")
    assert [(step, value) for step, value, _ in curve] == [(50, 0.75), (100, 0.8)]


def test_a_resumed_sweep_says_what_it_knew(client: Any, sweep: SweepRecord, new_tracker: NewTracker) -> None:
    tracker = new_tracker(sweep)
    tracker.reconcile([], lambda record: [])
    deliver(tracker, SweepState.INTERRUPTED)
    notes = []
    running = make_record(9, state=TrialState.RUNNING)
    for records in ([], [make_record(0, sample_count=50)]):
        tracker = new_tracker(sweep)
        tracker.reconcile(records, lambda record: [])
        tracker.trial_started(running)
        while running.key not in {run.data.tags["kdsearch.trial"] for run in runs_of(client, sweep)}:
            time.sleep(0.05)
        notes.append(parent_of(client, sweep).data.tags["mlflow.note.content"])
        tracker.close()
        client.delete_run(run_of(client, sweep, running).info.run_id)
    assert notes[0].startswith("Running. The verdict comes at the end.")
    assert notes[1].startswith("Running again. So far: Best at n=50: 50.0 % validation accuracy")


def test_a_users_own_description_of_an_experiment_stays(
    client: Any, sweep: SweepRecord, new_tracker: NewTracker
) -> None:
    deliver(new_tracker(sweep))
    experiment = client.get_experiment_by_name(sweep.name).experiment_id
    client.set_experiment_tag(experiment, "mlflow.note.content", "mine")
    deliver(new_tracker(sweep))
    assert client.get_experiment(experiment).tags["mlflow.note.content"] == "mine"


def test_what_cannot_be_written_beside_the_runs_is_a_warning(
    client: Any, sweep: SweepRecord, new_tracker: NewTracker, warnings: list[str]
) -> None:
    """A view of a sweep whose controls don't fit into a tag, a report that is not there."""
    sweep = replace(
        sweep, config={**sweep.config, "controls": [hashlib.sha256(b"%d" % n).hexdigest() for n in range(999)]}
    )
    record = make_record(0)
    tracker = new_tracker(sweep)
    tracker.trial_finished(record, [])
    assert tracker.finish(SweepState.COMPLETE, Findings("verdict"), Path("/nowhere"), DELIVERY)
    assert run_of(client, sweep, record).info.status == parent_of(client, sweep).info.status == "FINISHED"
    assert {"the report", "the saved views"} <= {text.split(": ")[1].split(" could")[0] for text in warnings}
