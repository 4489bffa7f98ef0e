"""`report.html`: one file, no network, everything escaped."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.progress.formatting import duration_text
from kdsearch.report.comparison import accuracy
from kdsearch.report.confirmation import confirmation_rounds
from kdsearch.report.figure import accuracy_figure
from kdsearch.report.summary import CountSummary
from kdsearch.report.summary import best_trials
from kdsearch.report.summary import data_facts
from kdsearch.report.summary import failures
from kdsearch.report.summary import search_metric
from kdsearch.report.summary import states
from kdsearch.report.summary import summarize
from kdsearch.report.summary import teacher_sample_count
from kdsearch.report.summary import unlabelled_count
from kdsearch.report.summary import validation_count
from kdsearch.report.wording import next_commands
from kdsearch.report.wording import percent
from kdsearch.report.wording import plain
from kdsearch.report.wording import points
from kdsearch.report.wording import times
from kdsearch.report.wording import verdict


@dataclass(frozen=True)
class Measure:
    """A metric of the confirmed students that is shown beside their accuracy."""

    name: str
    title: str
    is_fraction: bool = True


MEASURES = (
    Measure("test_nll", "NLL", is_fraction=False),
    Measure("test_ece", "calibration error, %"),
    Measure("val_agreement", "agreement, %"),
    Measure("test_worst_class_gap", "worst-class gap, points"),
    Measure("test_noise_accuracy_0.3", "noisy accuracy, %"),
    Measure("membership_auc", "membership AUC", is_fraction=False),
)

LEADERS = 5
"""Best searched trials shown per sample count."""


def report_html(sweep: SweepRecord, records: Sequence[TrialRecord]) -> str:
    from jinja2 import Environment
    from jinja2 import PackageLoader
    from jinja2 import StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("kdsearch.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "points": points, "times": times, "plain": plain}
    summaries = summarize(sweep, records)
    figure = accuracy_figure(summaries, _teacher_accuracy(sweep))
    return environment.get_template("report.html").render(
        sweep=sweep,
        verdict=verdict(sweep, records),
        figure=Markup(figure) if figure else None,
        summaries=summaries,
        controls=list(dict.fromkeys(name for summary in summaries for name in summary.controls)),
        metric=search_metric(sweep),
        leaders=_leaders(sweep, records),
        trials={kind.value: _named_states(records, kind) for kind in Kind},
        states=[state.value for state in TrialState],
        done=sum(record.state.is_finished for record in records),
        failures=failures(records),
        errors=_first_errors(records),
        attempts=[_attempt(attempt) for attempt in sweep.attempts],
        validation_count=validation_count(sweep),
        teacher_count=teacher_sample_count(sweep),
        rounds=confirmation_rounds(records),
        unlabelled_count=unlabelled_count(sweep),
        data=data_facts(sweep),
        measures=_measures(summaries),
        config=_yaml(sweep.config),
        commands=next_commands(sweep),
    )


def _measures(summaries: Sequence[CountSummary]) -> list[Measure]:
    """Those that at least one student has."""
    known = {name for summary in summaries for metrics in summary.metrics.values() for name in metrics}
    return [measure for measure in MEASURES if measure.name in known]


def _teacher_accuracy(sweep: SweepRecord) -> float | None:
    value = sweep.teacher.get("test_accuracy", sweep.teacher.get("val_accuracy"))
    return None if value is None else float(value)


def _leaders(sweep: SweepRecord, records: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    metric = search_metric(sweep)
    counts = sorted({record.sample_count for record in records})
    return [
        {
            "sample_count": record.sample_count,
            "label": record.label,
            "value": record.value,
            "accuracy": accuracy(record),
            "trial": record.key,
        }
        for count in counts
        for record in best_trials((row for row in records if row.sample_count == count), metric, LEADERS)
    ]


def _named_states(records: Sequence[TrialRecord], kind: Kind) -> dict[str, int]:
    return {state.value: count for state, count in states(r for r in records if r.kind is kind).items()}


def _first_errors(records: Sequence[TrialRecord]) -> dict[str, dict[str, str]]:
    """One example for each reason."""
    errors: dict[str, dict[str, str]] = {}
    for record in records:
        if record.state is TrialState.FAIL:
            reason = record.reason.value if record.reason else "error"
            errors.setdefault(reason, {"trial": record.key, "error": (record.error or "")[-2000:]})
    return errors


def _attempt(attempt: Any) -> dict[str, str]:
    return {
        "number": str(attempt.number),
        "host": attempt.host,
        "started": attempt.started.isoformat(sep=" ", timespec="seconds"),
        "time": duration_text((attempt.ended - attempt.started).total_seconds()) if attempt.ended else "–",
        "outcome": attempt.outcome or "at work",
    }


def _yaml(config: Mapping[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
