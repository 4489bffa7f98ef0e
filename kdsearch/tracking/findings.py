"""What the sweep's own run says besides its trials: the verdict, a table, and small files for whoever reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any

from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import SweepState
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.tracking.charts import GAIN
from kdsearch.tracking.markdown import escape
from kdsearch.tracking.markdown import table
from kdsearch.tracking.projection import MetricPoint
from kdsearch.tracking.projection import milliseconds
from kdsearch.tracking.projection import rounded

BEST_FILE = "best.json"
TABLE_FILE = "trials_table.json"
"""Shown by MLflow as an evaluation table, which can be sorted and searched."""
TABLE_TAG = {"mlflow.loggedArtifacts": json.dumps([{"path": TABLE_FILE, "type": "table"}])}
"""What tells MLflow that it is one."""
MOST_ROWS = 5000
CURVE = "by_sample_count"
"""The section of charts whose x axis (the step) is the sample count."""


@dataclass(frozen=True)
class Findings:
    """Markdown that is safe whatever the sweep, its models and its data are called, and files by name."""

    verdict: str
    table: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[MetricPoint, ...] = ()
    """Of the sweep's run, so that sweeps can be compared with one another."""


def findings(sweep: SweepRecord, records: Sequence[TrialRecord]) -> Findings:
    """At the end of an attempt."""
    from kdsearch.report import verdict

    files = {BEST_FILE: _best(sweep, records), TABLE_FILE: _trials(records)}
    return Findings(escape(verdict(sweep, records)), _counts(sweep, records), files, tuple(_metrics(sweep, records)))


def findings_so_far(sweep: SweepRecord, records: Sequence[TrialRecord]) -> Findings:
    """While an attempt that began with `records` is at work."""
    from kdsearch.report import verdict

    if not any(record.state is TrialState.COMPLETE for record in records):
        return Findings("Running. The verdict comes at the end.")
    so_far = verdict(replace(sweep, state=SweepState.COMPLETE), records)
    return Findings(escape(f"Running again. So far: {so_far}"), _counts(sweep, records))


def _counts(sweep: SweepRecord, records: Sequence[TrialRecord]) -> str:
    from kdsearch.report import summarize
    from kdsearch.report.labels_used import labels_used
    from kdsearch.report.wording import percent
    from kdsearch.report.wording import points
    from kdsearch.report.wording import times

    summaries = summarize(sweep, records)
    splits = {summary.evaluated_on for summary in summaries}
    split = splits.pop() if len(splits) == 1 else "test (or validation)"
    rows = [
        [
            str(summary.sample_count),
            percent(summary.labels),
            summary.recipe_label or "–",
            percent(summary.distilled),
            points(summary.gain),
            times(summary.data_efficiency),
            str(labels_used(sweep, summary.recipe, summary.sample_count)) if summary.recipe else "–",
        ]
        for summary in summaries
    ]
    header = ["n", "labels only", "best recipe", f"{split} accuracy, %", "gain, points", "data efficiency"]
    header.append("labels: n + validation + teacher")
    return table(header, rows)


def _metrics(sweep: SweepRecord, records: Sequence[TrialRecord]) -> Iterator[MetricPoint]:
    """Each result twice: `gain_over_labels/n50` for tables of sweeps, `by_sample_count/gain_over_labels` at step 50 for
    curves. Told twice, they are the same points.
    """
    from kdsearch.report import summarize

    time = milliseconds(max((record.ended for record in records if record.ended), default=sweep.created))
    for summary in summarize(sweep, records):
        split = "test" if summary.evaluated_on == "test" else "val"
        estimates = {
            f"{split}_accuracy": summary.distilled,
            f"labels_{split}_accuracy": summary.labels,
            GAIN: summary.gain,
        }
        values = {name: estimate.mean for name, estimate in estimates.items() if estimate is not None}
        if summary.data_efficiency.value is not None:
            values["data_efficiency"] = summary.data_efficiency.value
        for name, value in values.items():
            yield MetricPoint(f"{name}/n{summary.sample_count}", rounded(name, value), time, 0)
            yield MetricPoint(f"{CURVE}/{name}", rounded(name, value), time, summary.sample_count)


def _best(sweep: SweepRecord, records: Sequence[TrialRecord]) -> str:
    from kdsearch.report.document import report_document

    counts = report_document(sweep, records)["counts"]
    wanted = (
        "sample_count",
        "evaluated_on",
        "distilled",
        "labels",
        "gain",
        "gain_ci95",
        "gain_standing",
        "data_efficiency",
    )
    return json.dumps([{key: count[key] for key in wanted} for count in counts], indent=2) + "\n"


def _trials(records: Sequence[TrialRecord]) -> str:
    """As `mlflow.log_table` writes it; what a row lacks is null."""
    rows = [_row(record) for record in sorted(records, key=_place)[:MOST_ROWS]]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return json.dumps({"columns": columns, "data": [[row.get(column) for column in columns] for row in rows]})


def _place(record: TrialRecord) -> tuple[int, str, float]:
    """By sample count and kind, the most accurate first."""
    accuracy = record.metrics.get("test_accuracy", record.metrics.get("val_accuracy", -1.0))
    return record.sample_count, record.kind.value, -accuracy


def _row(record: TrialRecord) -> dict[str, Any]:
    return {
        "n": record.sample_count,
        "recipe": record.label,
        "kind": record.kind.value,
        "state": record.state.value,
        **{key: rounded(key, float(value)) for key, value in record.metrics.items()},
        **record.recipe.flat(),
        "trial": record.key,
    }
