"""`kdsearch status`: where a sweep stands, as a document for scripts and as text for people."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from typing import Any

from rich.console import Group
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kdsearch.ledger.records import AttemptRecord
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.progress.formatting import duration_text
from kdsearch.report.comparison import accuracy
from kdsearch.report.summary import CountSummary
from kdsearch.report.summary import failures
from kdsearch.report.summary import states
from kdsearch.report.summary import summarize_search


def status(
    sweep: SweepRecord,
    records: Sequence[TrialRecord],
    mlflow: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> dict[str, Any]:
    """The document of `status --json`; accuracies and gains are fractions, of the validation split.

    `mlflow` is what `kdsearch.tracking.verify` found; None where it was not asked. `now` ends a living attempt's time.
    """
    moment = now or datetime.now(UTC)
    return {
        "name": sweep.name,
        "uid": sweep.uid,
        "state": sweep.state.value,
        "target": sweep.target,
        "trials": {state.value: count for state, count in states(records).items()},
        "failures": failures(records),
        "mlflow": dict(mlflow) if mlflow is not None else None,
        "best": [_best(summary) for summary in summarize_search(sweep, records)],
        "attempts": [_attempt(attempt) for attempt in sweep.attempts],
        "seconds_used": round(seconds_used(sweep, moment), 1),
        "time_budget": sweep.config.get("time_budget"),
    }


def seconds_used(sweep: SweepRecord, now: datetime) -> float:
    """The time of all attempts together; a living one counts up to `now`."""
    return sum(max(0.0, ((attempt.ended or now) - attempt.started).total_seconds()) for attempt in sweep.attempts)


def render_status(document: Mapping[str, Any]) -> RenderableType:
    """`status` for people."""
    done = sum(document["trials"][state] for state in ("COMPLETE", "PRUNED", "FAIL"))
    head = f"{document['name']}: {document['state']}, {done} of {document['target']} trials done"
    parts: list[RenderableType] = [
        Text(f"{head}, {duration_text(document['seconds_used'])} used", style="bold"),
        Text("trials: " + _counts(document["trials"])),
    ]
    if document["failures"]:
        parts.append(Text("failed: " + _counts(document["failures"]), style="red"))
    if document["mlflow"] is not None:
        parts.append(_mlflow_line(document["mlflow"]))
    if document["attempts"]:
        parts.append(Text("attempts: " + "; ".join(_attempt_words(attempt) for attempt in document["attempts"])))
    parts.append(_best_table(document["best"]))
    return Group(*parts)


def _best(summary: CountSummary) -> dict[str, Any]:
    leader, labels = summary.best, summary.labels_trial
    return {
        "sample_count": summary.sample_count,
        "params": leader.recipe.flat() | dict(leader.params) if leader else {},
        "label": leader.label if leader else None,
        "val_accuracy": accuracy(leader) if leader else None,
        "labels_val_accuracy": accuracy(labels) if labels else None,
        "gain": summary.validation_gain,
    }


def _attempt(attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "host": attempt.host,
        "pid": attempt.pid,
        "started": attempt.started.isoformat(),
        "ended": attempt.ended.isoformat() if attempt.ended else None,
        "outcome": attempt.outcome,
    }


def _attempt_words(attempt: Mapping[str, Any]) -> str:
    return f"{attempt['number']} {attempt['outcome'] or 'at work'} ({attempt['host']})"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"


def _mlflow_line(found: Mapping[str, Any]) -> Text:
    wrong = {name: count for name, count in found.items() if name != "runs" and count}
    words = f"MLflow: {found.get('runs', 0)} runs, " + (_counts(wrong) if wrong else "one to one with the ledger")
    return Text(words, style="red" if wrong else "")


def _best_table(best: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("n", "labels %", "best %", "gain"):
        table.add_column(title, justify="right")
    table.add_column("best recipe so far (validation)")
    for row in best:
        table.add_row(
            str(row["sample_count"]),
            _percent(row["labels_val_accuracy"]),
            _percent(row["val_accuracy"]),
            "–" if row["gain"] is None else f"{100 * row['gain']:+.1f}",
            Text(row["label"] or "–"),
        )
    return table


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
