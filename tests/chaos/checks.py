"""What must hold after a sweep, whatever happened during it. Each check gives the problems it found, in words."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kdsearch.ledger import Point
from kdsearch.ledger import TrialRecord
from kdsearch.ledger import TrialState
from kdsearch.ledger import open_ledger
from kdsearch.sweep import Sweep
from kdsearch.tracking.projection import TRIAL
from kdsearch.tracking.projection import UID
from kdsearch.tracking.projection import rounded
from tests.e2e.harness import Workplace
from tests.services.stack import Stack

SETTLE_SECONDS = 30
OF_RAY, OF_LOGS = "ray", f"kdsearch-{os.getuid()}"
"""What may stay in the temporary folder."""


def problems(stack: Stack, workplace: Workplace, name: str, *, target: int, evaluations: int) -> list[str]:
    """Everything that is wrong with a sweep that has ended."""
    sweep = workplace.load(name)
    assert workplace.locations is not None
    ledger = open_ledger(workplace.locations.ledger)
    try:
        series = ledger.all_series(name)
    finally:
        ledger.close()
    return [
        *_status_problems(workplace.status(name), target),
        *_ledger_problems(sweep, target),
        *_pack_problems(sweep),
        *_series_problems(sweep, series, evaluations),
        *_mlflow_problems(stack, sweep, series),
        *_storage_problems(stack, workplace, name),
        *_temporary_problems(stack.temporary),
        *_process_problems(stack),
    ]


def _status_problems(status: dict[str, Any], target: int) -> Iterator[str]:
    if status["state"] != "complete":
        yield f"the sweep is {status['state']}"
    if status["target"] != target:
        yield f"its target is {status['target']}, not {target}"
    expected = {"runs": target, "missing": 0, "duplicate": 0, "open": 0, "status": 0, "unknown": 0}
    if status["mlflow"] != expected:
        yield f"MLflow disagrees with the ledger: {status['mlflow']}"


def _ledger_problems(sweep: Sweep, target: int) -> Iterator[str]:
    states = Counter(record.state.value for record in sweep.records)
    if states["COMPLETE"] + states["PRUNED"] != target or len(sweep.records) != target:
        yield f"of {target} trials there are {dict(states)}"
    for record in sweep.records:
        if record.state is TrialState.FAIL:
            yield f"{record.key} failed: {record.reason} {record.error}"
    fixed = Counter(_identity(record) for record in sweep.records if record.control or record.confirms)
    yield from (f"{identity} is there {count} times" for identity, count in fixed.items() if count > 1)


def _pack_problems(sweep: Sweep) -> Iterator[str]:
    packs = sweep.record.teacher.get("packs", {})
    if not packs or min(packs.values()) < 2:
        yield f"its trials were not trained in packs: {packs} is on record"


def _identity(record: TrialRecord) -> tuple[object, ...]:
    """What tells a control or a confirmation from the others."""
    return record.study, record.control, record.confirms, record.replicate


def _series_problems(sweep: Sweep, series: dict[str, list[Point]], evaluations: int) -> Iterator[str]:
    for record in sweep.records:
        points = series.get(record.key, [])
        epochs = [point.epoch for point in points]
        if epochs != sorted(set(epochs)):
            yield f"{record.key}: its epochs are not in order: {epochs}"
        if record.state is TrialState.COMPLETE and len(points) != evaluations:
            yield f"{record.key}: {len(points)} of {evaluations} points"
        if not points or points[-1].metrics.get("val_accuracy") != record.metrics.get("val_accuracy"):
            yield f"{record.key}: its curve does not end with its result"


def _mlflow_problems(stack: Stack, sweep: Sweep, series: dict[str, list[Point]]) -> Iterator[str]:
    from kdsearch.tracking.runs import MlflowClient

    client: Any = MlflowClient(stack.mlflow.uri)
    experiment = client.get_experiment_by_name(sweep.name)
    runs = client.search_runs([experiment.experiment_id], f"tags.`{UID}` = '{sweep.record.uid}'", max_results=1000)
    trials = {run.data.tags[TRIAL]: run for run in runs if TRIAL in run.data.tags}
    if len(runs) != len(sweep.records) + 1:
        yield f"MLflow has {len(runs)} runs for {len(sweep.records)} trials and their parent"
    for run in runs:
        if run.info.status in ("RUNNING", "SCHEDULED"):
            yield f"the run {run.info.run_name} is {run.info.status}"
    for record in sweep.records:
        if record.key in trials:
            yield from _history_problems(client, trials[record.key], record.key, series.get(record.key, []))


def _history_problems(client: Any, run: Any, key: str, points: list[Point]) -> Iterator[str]:
    # Curves are of what the first evaluation measured too; what is computed once, at the end, has none.
    for metric in sorted(f"epoch/{name}" for name in (points[0].metrics if points else ())):
        history = client.get_metric_history(run.info.run_id, metric)
        written = sorted((m.step, m.timestamp, m.value) for m in history)
        name = metric.removeprefix("epoch/")
        wanted = [(p.epoch, p.time, rounded(name, p.metrics[name])) for p in points if name in p.metrics]
        if written != wanted:
            yield f"{key}: {metric} in MLflow has {len(written)} points, which are not the {len(wanted)} of the ledger"


def _storage_problems(stack: Stack, workplace: Workplace, name: str) -> Iterator[str]:
    assert workplace.locations is not None
    prefix = workplace.locations.storage.removeprefix(f"s3://{stack.s3.bucket}/")
    keys = stack.s3.keys(prefix)
    yield from (f"left in S3: {key}" for key in keys if "/checkpoints/" in key or "partial" in key or "spool" in key)
    for file in ("config.yaml", "report/report.json", "report/report.html"):
        if f"{prefix}/sweeps/{name}/{file}" not in keys:
            yield f"missing in S3: {file}"


def _temporary_problems(temporary: Path) -> Iterator[str]:
    places = [file.relative_to(temporary) for file in temporary.rglob("*") if file.is_file()]
    left = Counter(
        place.parts[0]
        for place in places
        if place.parts[0] != OF_RAY and not (place.parts[0] == OF_LOGS and place.suffix == ".log")
    )
    yield from (f"left in the temporary folder: {count} files in {name}" for name, count in sorted(left.items()))


def _process_problems(stack: Stack) -> Iterator[str]:
    deadline = time.monotonic() + SETTLE_SECONDS
    while (left := stack.cluster.sweep_processes()) and time.monotonic() < deadline:
        time.sleep(0.5)
    yield from (f"process {pid} is left: {title}" for pid, title in left.items())
