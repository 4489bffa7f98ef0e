"""What an MLflow run says about a ledger row: pure values, the same each time they are derived.

Every time stamp comes from the ledger, so writing a projection twice writes nothing twice: MLflow's store ignores a
metric point whose key, time stamp, value and step it has already.
"""

from __future__ import annotations

import getpass
import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from datetime import datetime

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import Point
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import SweepState
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.tracking.color import sample_count_color
from kdsearch.tracking.dataset import DatasetInput
from kdsearch.tracking.dataset import dataset_input

UID = "kdsearch.uid"
TRIAL = "kdsearch.trial"
KIND = "kdsearch.kind"
STOP = "kdsearch.stop"
"""How a trial ended: `completed`, `pruned` or `error`."""
REASON = "kdsearch.reason"
"""Why a trial ended as `error`: `non_finite`, `crashed`, `user_code`, `dropped`, …"""
GROUP = "kdsearch.group"
"""What is compared: `searched`, or a control's name."""
RECIPE = "kdsearch.recipe"
"""A recipe's short name, the same for all its seeds."""
DUPLICATE = "kdsearch.duplicate"
PARENT = "mlflow.parentRunId"
COLOR = "mlflow.runColor"
NOTE = "mlflow.note.content"
PARENT_KIND = "sweep"
SEARCHED = "searched"

TRIAL_STATUS = {
    TrialState.WAITING: "SCHEDULED",
    TrialState.RUNNING: "RUNNING",
    TrialState.COMPLETE: "FINISHED",
    TrialState.PRUNED: "KILLED",
    TrialState.FAIL: "FAILED",
}
SWEEP_STATUS = {
    SweepState.RUNNING: "RUNNING",
    SweepState.INTERRUPTED: "KILLED",
    SweepState.STOPPED: "KILLED",
    SweepState.COMPLETE: "FINISHED",
}
OPEN_STATUSES = ("RUNNING", "SCHEDULED")
_TAG_LIMIT = 8000
_PARAM_LIMIT = 6000
_FRACTIONS = ("accuracy", "agreement", "ece", "gain", "gap", "hellinger", "auc", "log10_")


@dataclass(frozen=True)
class MetricPoint:
    key: str
    value: float
    time: int
    """Milliseconds since 1970."""
    step: int


@dataclass(frozen=True)
class Projection:
    """One run: `tags` are known when it starts, `final_tags` when it ends."""

    trial: str
    name: str
    status: str
    start: int
    end: int | None
    tags: Mapping[str, str]
    final_tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: tuple[MetricPoint, ...]
    dataset: DatasetInput | None
    """The samples that it was trained on, where the search draws them: each replicate of a confirmation has its own."""


def project(
    record: TrialRecord,
    sweep: SweepRecord,
    sample_counts: Sequence[int],
    series: Sequence[Point] = (),
    extra_metrics: Mapping[str, float] | None = None,
) -> Projection:
    """The run of a ledger row; `extra_metrics` join the final ones of a COMPLETE trial."""
    finished = record.state.is_finished
    metrics = _epoch_points(series) if finished else []
    if record.state is TrialState.COMPLETE:
        metrics += _final_points(record, extra_metrics or {})
    start_time = record.started or sweep.created
    start = milliseconds(start_time)
    return Projection(
        trial=record.key,
        name=f"n={record.sample_count} {record.label}",
        status=TRIAL_STATUS[record.state],
        start=start,
        end=max(start, milliseconds(record.ended or start_time)) if finished else None,
        tags=_tags(record, sweep, sample_counts),
        final_tags=_final_tags(record) if finished else {},
        params=_params(record),
        metrics=tuple(metrics),
        dataset=None if record.kind is Kind.CONFIRM else dataset_input(record, sweep.config),
    )


def sweep_tags(sweep: SweepRecord) -> dict[str, str]:
    """The tags of the sweep's parent run."""
    return {**_common_tags(sweep), KIND: PARENT_KIND}


def milliseconds(moment: datetime) -> int:
    """Since 1970."""
    return int(moment.timestamp() * 1000)


def rounded(key: str, value: float) -> float:
    """As the UI should print it: 4 decimals for fractions and logarithms, else 6 significant digits."""
    if any(word in key for word in _FRACTIONS):
        return round(value, 4)
    return float(f"{value:.6g}")


def _epoch_points(series: Sequence[Point]) -> list[MetricPoint]:
    """The curves: of what the first evaluation measured too, since a metric that is computed once has none."""
    return [
        MetricPoint(f"epoch/{key}", rounded(key, value), evaluation.time, evaluation.epoch)
        for evaluation in series
        for key, value in evaluation.metrics.items()
        if key in series[0].metrics and math.isfinite(value)
    ]


def final_points(record: TrialRecord, values: Mapping[str, float]) -> list[MetricPoint]:
    """Metrics that were measured once, when the trial ended."""
    time = milliseconds(record.ended) if record.ended else 0
    return [MetricPoint(key, rounded(key, value), time, 0) for key, value in values.items() if math.isfinite(value)]


def _final_points(record: TrialRecord, extra_metrics: Mapping[str, float]) -> list[MetricPoint]:
    values = {**record.metrics, "log10_sample_count": math.log10(record.sample_count)}
    temperature = record.recipe.hyperparameters.get("temperature")
    if temperature is not None and temperature > 0:
        values["log10_temperature"] = math.log10(temperature)
    return final_points(record, {**values, **extra_metrics})


def _common_tags(sweep: SweepRecord) -> dict[str, str]:
    return {
        "kdsearch.sweep": sweep.name,
        UID: sweep.uid,
        "mlflow.source.name": "kdsearch",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _user(),
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an id without an account, as in many containers
        return "unknown"


def _tags(record: TrialRecord, sweep: SweepRecord, sample_counts: Sequence[int]) -> dict[str, str]:
    tags = {
        **_common_tags(sweep),
        KIND: record.kind.value,
        TRIAL: record.key,
        "kdsearch.study": record.study,
        GROUP: record.control or SEARCHED,
        RECIPE: replace(record, replicate=None).label,
        COLOR: sample_count_color(record.sample_count, sample_counts),
    }
    if record.control:
        tags["kdsearch.control"] = record.control
    if record.confirms:
        tags["kdsearch.confirms"] = record.confirms
    return tags


def _final_tags(record: TrialRecord) -> dict[str, str]:
    if record.state is TrialState.COMPLETE:
        return {STOP: "completed"}
    if record.state is TrialState.PRUNED:
        return {STOP: "pruned"}
    reason = record.reason.value if record.reason else "error"
    return {STOP: "error", REASON: reason, NOTE: _note(reason, record.error)}


def _note(reason: str, error: str | None) -> str:
    if not error:
        return reason
    room = _TAG_LIMIT - len(reason) - 20
    kept = error if len(error) <= room else "…" + error[-room:]  # the end of a traceback says what went wrong
    return f"{reason}\n\n```\n{kept}\n```"


def _params(record: TrialRecord) -> dict[str, str]:
    params = {
        **record.params,
        **record.recipe.flat(),
        "sample_count": record.sample_count,
        "seed": record.seed,
        "subset_seed": record.subset_seed,
    }
    if record.control:
        params["control"] = record.control
    return {key: str(value)[:_PARAM_LIMIT] for key, value in params.items()}
