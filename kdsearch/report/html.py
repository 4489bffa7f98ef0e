"""`report.html`: one file, no network, everything escaped."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from kdsearch import __version__
from kdsearch.ledger.records import AttemptRecord
from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.progress.formatting import duration_text
from kdsearch.report import figures
from kdsearch.report.comparison import accuracy
from kdsearch.report.confirmation import confirmation_rounds
from kdsearch.report.content import Content
from kdsearch.report.document import versions
from kdsearch.report.figures.labels_saved import interval_text
from kdsearch.report.gains import gains
from kdsearch.report.headline import headline
from kdsearch.report.labels_used import labels_used
from kdsearch.report.remarks import remarks
from kdsearch.report.status import interruptions
from kdsearch.report.summary import CountSummary
from kdsearch.report.summary import best_trials
from kdsearch.report.summary import data_facts
from kdsearch.report.summary import failures
from kdsearch.report.summary import states
from kdsearch.report.summary import unlabelled_count
from kdsearch.report.wording import next_commands
from kdsearch.report.wording import percent
from kdsearch.report.wording import plain
from kdsearch.report.wording import points
from kdsearch.report.wording import times
from kdsearch.report.wording import verdict

if TYPE_CHECKING:
    from jinja2 import Environment

    from kdsearch.questions import Evidence


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
    Measure("val_hellinger", "Hellinger distance", is_fraction=False),
    Measure("test_worst_class_gap", "worst-class gap, points"),
    Measure("test_noise_accuracy_0.3", "noisy accuracy, %"),
    Measure("membership_auc", "membership AUC", is_fraction=False),
)

LEADERS = 5
"""Best searched trials shown per sample count."""
CHIPS = {"supported": "good", "not supported": "bad", "unclear": "maybe"}
"""How the verdicts on the paper's questions look."""
_LONGEST_ERROR = 2000


def report_html(content: Content, drawing: figures.Drawing, embedding: bytes | None = None) -> str:
    """The page; `embedding` is a PNG picture to show, too."""
    from markupsafe import Markup

    results = content.results
    sweep, records, summaries = results.sweep, results.records, results.summaries
    overrides = content.sweep_overrides
    return (
        _environment()
        .get_template("report.html")
        .render(
            content=content,
            sweep=sweep,
            verdict=verdict(sweep, records),
            remarks=remarks(results),
            tiles=headline(content),
            figures={picture.figure.name: picture.figure for picture in drawing.pictures},
            specs={picture.figure.name: picture.spec for picture in drawing.pictures},
            undrawn=drawing.failures,
            javascript=Markup(figures.javascript()) if drawing.pictures else None,
            embedding=base64.b64encode(embedding).decode() if embedding is not None else None,
            summaries=summaries,
            evaluated_on={summary.evaluated_on for summary in summaries if summary.distilled},
            labels_saved={found.sample_count: found for found in content.labels_saved},
            standings={gain.sample_count: gain.standing for gain in gains(summaries)},
            objective_count=len({found.objective for found in content.objectives}),
            controls=list(dict.fromkeys(name for summary in summaries for name in summary.controls)),
            chips=CHIPS,
            metric=results.metric,
            leaders=_leaders(content),
            leaders_per_count=LEADERS,
            trials={kind.value: _named_states(records, kind) for kind in Kind},
            states=[state.value for state in TrialState],
            done=sum(record.state.is_finished for record in records),
            failures=failures(records),
            interruptions=interruptions(records),
            errors=_first_errors(records),
            attempts=[_attempt(attempt) for attempt in sweep.attempts],
            packs=sweep.teacher.get("packs", {}),
            labels_used={
                s.sample_count: str(labels_used(sweep, s.recipe, s.sample_count)) for s in summaries if s.recipe
            },
            rounds=confirmation_rounds(records),
            unlabelled_count=unlabelled_count(sweep),
            data=data_facts(sweep),
            measures=_measures(summaries),
            sweep_command=None if overrides is None else shlex.join(["kdsearch", "sweep", *overrides]),
            commands=next_commands(sweep),
            versions=versions(sweep),
            teacher=_teacher(sweep.teacher),
            version=__version__,
            config=_yaml(sweep.config),
        )
    )


def _environment() -> Environment:
    from jinja2 import Environment
    from jinja2 import PackageLoader
    from jinja2 import StrictUndefined

    environment = Environment(
        loader=PackageLoader("kdsearch.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "points": points,
        "times": times,
        "plain": plain,
        "duration": duration_text,
        "interval": interval_text,
        "evidence": _evidence,
        "count": lambda value: "?" if value is None else f"{value:,}",
    }
    return environment


def _evidence(evidence: Evidence) -> str:
    """In the words of its unit."""
    match evidence.unit:
        case "points":
            return f"{points(evidence.estimate)} points"
        case "fraction":
            return f"{percent(evidence.estimate)} %"
        case "ratio":
            return f"{plain(evidence.estimate)}×"
        case "nats":
            return f"{plain(evidence.estimate)} nats"
    value = evidence.estimate
    return f"{value.mean:.3g}" + (f" ± {value.ci95:.2g}" if value.ci95 is not None else "")


def _measures(summaries: Sequence[CountSummary]) -> list[Measure]:
    """Those that at least one student has."""
    known = {name for summary in summaries for metrics in summary.metrics.values() for name in metrics}
    return [measure for measure in MEASURES if measure.name in known]


def _leaders(content: Content) -> list[dict[str, Any]]:
    results = content.results
    return [
        {
            "sample_count": record.sample_count,
            "label": record.label,
            "value": record.value,
            "accuracy": accuracy(record),
            "trial": record.key,
        }
        for count in results.sample_counts
        for record in best_trials(results.searched(count), results.metric, LEADERS)
    ]


def _named_states(records: Sequence[TrialRecord], kind: Kind) -> dict[str, int]:
    return {state.value: count for state, count in states(r for r in records if r.kind is kind).items()}


def _first_errors(records: Sequence[TrialRecord]) -> dict[str, dict[str, str]]:
    """One example for each reason."""
    errors: dict[str, dict[str, str]] = {}
    for record in records:
        if record.failure is not None:
            errors.setdefault(record.failure, {"trial": record.key, "error": (record.error or "")[-_LONGEST_ERROR:]})
    return errors


def _attempt(attempt: AttemptRecord) -> dict[str, str]:
    return {
        "number": str(attempt.number),
        "host": attempt.host,
        "started": attempt.started.strftime("%Y-%m-%d %H:%M:%S"),
        "time": duration_text((attempt.ended - attempt.started).total_seconds()) if attempt.ended else "–",
        "outcome": attempt.outcome or "at work",
    }


def _teacher(teacher: Mapping[str, Any]) -> dict[str, str]:
    """Its plain facts, rounded."""
    shown: dict[str, str] = {}
    for name, value in teacher.items():
        if isinstance(value, float):
            shown[name] = f"{value:.4g}"
        elif isinstance(value, str | int):
            shown[name] = str(value)
    return shown


def _yaml(config: Mapping[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
