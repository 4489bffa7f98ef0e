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
from kdsearch.tracking.verify import Agreement
from kdsearch.tracking.verify import Unasked

SHOWN_ATTEMPTS = 8
SHOWN_TRIALS = 5


def status(
    sweep: SweepRecord,
    records: Sequence[TrialRecord],
    mlflow: Agreement | Unasked | None = None,
    now: datetime | None = None,
) -> dict[str, Any]:
    """The document of `status --json`; accuracies and gains are fractions, of the validation split.

    `mlflow` is what `tracking.verify.compare` found, or why there is nothing. `now` ends a living attempt's time.
    """
    agreement = mlflow if isinstance(mlflow, Agreement) else None
    unasked = mlflow if isinstance(mlflow, Unasked) else Unasked("not asked")
    moment = now or datetime.now(UTC)
    used = sweep.seconds_used(moment)
    return {
        "name": sweep.name,
        "uid": sweep.uid,
        "state": sweep.state.value,
        "target": sweep.target,
        "trials": {state.value: count for state, count in states(records).items()},
        "failures": failures(records),
        "dropped": sum(record.is_dropped for record in records),
        "interruptions": interruptions(records),
        "errors": _errors(records),
        "mlflow": agreement.counts if agreement else unasked.counts,
        "disagreements": [{"what": w, "trial": trial} for w, trial in agreement.disagreements] if agreement else [],
        "best": [_best(summary) for summary in summarize_search(sweep, records)],
        "attempts": [_attempt(attempt) for attempt in sweep.attempts],
        "seconds_used": round(used, 1),
        "seconds_left": _seconds_left(sweep, records, used),
        "search_seconds": round(sweep.search_seconds, 1),
        "time_budget": sweep.config.get("time_budget"),
    }


def interruptions(records: Sequence[TrialRecord]) -> dict[str, int]:
    """How often a trial lost its worker and went out again: it took the worker down, or node or driver were lost."""
    counts = {
        "crashed": sum(record.restarts for record in records),
        "lost": sum(record.losses for record in records),
        "continued": sum(max(0, len(record.attempts) - 1) for record in records),
    }
    return {why: count for why, count in counts.items() if count}


def _errors(records: Sequence[TrialRecord]) -> list[dict[str, str]]:
    """One failed trial of each reason, and the last line of its error."""
    found: dict[str, dict[str, str]] = {}
    for record in records:
        if record.failure is not None:
            lines = (record.error or "").strip().splitlines()
            example = {"reason": record.failure, "trial": record.key, "error": lines[-1] if lines else ""}
            found.setdefault(record.failure, example)
    return list(found.values())


def _seconds_left(sweep: SweepRecord, records: Sequence[TrialRecord], used: float) -> float | None:
    """How long the rest takes at the pace so far, within what is left of the time budget; None before the first
    result.
    """
    done = sum(record.state.is_finished for record in records)
    if not done:
        return None
    left = max(0, sweep.target - done) * used / done
    budget = sweep.config.get("time_budget")
    return round(left if budget is None else min(left, max(0.0, float(budget) - sweep.search_seconds)), 1)


def render_status(document: Mapping[str, Any]) -> RenderableType:
    """`status` for people."""
    done = sum(document["trials"][state] for state in ("COMPLETE", "PRUNED", "FAIL"))
    head = f"{document['name']}: {document['state']}, {done} of {document['target']} trials done"
    time = f"{duration_text(document['seconds_used'])} used"
    if document["state"] != "complete" and document["seconds_left"]:
        time += f", about {duration_text(document['seconds_left'])} left"
    if document["time_budget"] is not None:
        searched, budget = duration_text(document["search_seconds"]), duration_text(document["time_budget"])
        time += f"; {searched} of time_budget={budget} searched"
    parts: list[RenderableType] = [
        Text(f"{head}, {time}", style="bold"),
        Text("trials: " + _counts(document["trials"])),
    ]
    if document["failures"]:
        parts.append(Text("failed: " + _counts(document["failures"]), style="red"))
        parts += [Text(f"  {e['reason']}, such as {e['trial']}: {e['error']}"[:200]) for e in document["errors"]]
    if document["dropped"]:
        parts.append(Text(f"dropped: {document['dropped']} that the changed sweep no longer has"))
    if document["interruptions"]:
        parts.append(Text("sent out again: " + _counts(document["interruptions"])))
    if document["mlflow"]["runs"] is not None:
        parts.append(_mlflow_line(document["mlflow"]))
        parts += [Text(f"  {line}") for line in _disagreements(document["disagreements"])]
    if document["attempts"]:
        parts.append(_attempt_table(document["attempts"]))
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


def _attempt_table(attempts: Sequence[Mapping[str, Any]]) -> Table:
    """The last attempts, and how each ended; `--json` has all."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("attempt", justify="right")
    for title in ("started (UTC)", "took", "on", "ended"):
        table.add_column(title)
    shown = attempts[-SHOWN_ATTEMPTS:]
    if len(attempts) > len(shown):
        table.add_row("…", f"{len(attempts) - len(shown)} earlier ones", "", "", "")
    for attempt in shown:
        started = datetime.fromisoformat(attempt["started"])
        ended = datetime.fromisoformat(attempt["ended"]) if attempt["ended"] else None
        table.add_row(
            str(attempt["number"]),
            f"{started:%Y-%m-%d %H:%M:%S}",
            duration_text((ended - started).total_seconds()) if ended else "",
            Text(f"{attempt['host']}, process {attempt['pid']}"),
            Text(attempt["outcome"] or "at work"),
        )
    return table


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"


def _mlflow_line(found: Mapping[str, Any]) -> Text:
    wrong = {name: count for name, count in found.items() if name != "runs" and count}
    words = f"MLflow: {found.get('runs', 0)} runs, " + (_counts(wrong) if wrong else "one to one with the ledger")
    return Text(words, style="red" if wrong else "")


def _disagreements(found: Sequence[Mapping[str, str]]) -> list[str]:
    """The trials of each kind of disagreement; the next start mends all but the unknown."""
    kinds: dict[str, list[str]] = {}
    for disagreement in found:
        kinds.setdefault(disagreement["what"], []).append(disagreement["trial"])
    return [
        f"{what}: {', '.join(trials[:SHOWN_TRIALS])}" + (", …" if len(trials) > SHOWN_TRIALS else "")
        for what, trials in kinds.items()
    ]


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
