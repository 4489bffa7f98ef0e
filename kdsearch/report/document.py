"""`report.json`: the results of a sweep for scripts."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.report.confirmation import confirmation_rounds
from kdsearch.report.confirmation import failed_seeds
from kdsearch.report.content import Content
from kdsearch.report.gains import Gain
from kdsearch.report.gains import gains
from kdsearch.report.labels_saved import LabelsSaved
from kdsearch.report.labels_used import labels_used
from kdsearch.report.labels_used import teacher_facts
from kdsearch.report.labels_used import validation_count
from kdsearch.report.pareto import FrontPoint
from kdsearch.report.recommendation import Recommendation
from kdsearch.report.remarks import remarks
from kdsearch.report.statistics import Estimate
from kdsearch.report.summary import CountSummary
from kdsearch.report.summary import data_facts
from kdsearch.report.summary import failures
from kdsearch.report.summary import states
from kdsearch.report.summary import summarize
from kdsearch.report.summary import unlabelled_count
from kdsearch.report.teachers import TeacherRow
from kdsearch.report.winners_curse import WinnersCurse
from kdsearch.report.wording import verdict


def report_document(sweep: SweepRecord, records: Sequence[TrialRecord]) -> dict[str, Any]:
    """All accuracies and gains are fractions; `ci95` is the half-width of a 95 % t-interval over `seeds` values, and
    `gain_ci95_together` of one that holds for the gains of all sample counts together."""
    return content_document(Content.of(sweep, records))


def count_documents(sweep: SweepRecord, records: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """`counts` of the document alone, without what takes longer."""
    summaries = summarize(sweep, records)
    found = {gain.sample_count: gain for gain in gains(summaries)}
    return [_count(sweep, summary, None, found.get(summary.sample_count)) for summary in summaries]


def content_document(content: Content) -> dict[str, Any]:
    """As `report_document`."""
    results = content.results
    sweep, records, summaries = results.sweep, results.records, results.summaries
    splits = {summary.evaluated_on for summary in summaries}
    saved = {found.sample_count: found for found in content.labels_saved}
    gain_at = {gain.sample_count: gain for gain in gains(summaries)}
    overrides = content.sweep_overrides
    return {
        "name": sweep.name,
        "uid": sweep.uid,
        "state": sweep.state.value,
        "verdict": verdict(sweep, records),
        "remarks": remarks(results),
        "evaluated_on": splits.pop() if len(splits) == 1 else "mixed",
        "search_metric": results.metric,
        "counts": [
            _count(sweep, summary, saved.get(summary.sample_count), gain_at.get(summary.sample_count))
            for summary in summaries
        ],
        "recommended": [_recommended(recommendation) for recommendation in content.recommendations],
        "winners_curse": [_curse(curse) for curse in content.winners_curse],
        "objectives": [asdict(r) | {"confirmed": _estimate(r.confirmed)} for r in content.objectives],
        "importance": [asdict(importance) for importance in content.importances],
        "questions": [_answer(answer) for answer in content.answers],
        "teacher": {key: value for key, value in sweep.teacher.items() if key not in ("data", "packs")},
        "data": dict(data_facts(sweep)),
        "trials_per_worker": dict(sweep.teacher.get("packs", {})),
        "labels_used": {
            "validation": validation_count(sweep),
            "teacher": teacher_facts(sweep, None).get("sample_count"),
        },
        "teachers": [_teacher(teacher) for teacher in content.teachers],
        "unlabelled_count": unlabelled_count(sweep),
        "confirmation_rounds": confirmation_rounds(records),
        "failed_seeds": [asdict(seeds) for seeds in failed_seeds(records)],
        "trials": {
            "target": sweep.target,
            **{kind.value: _states([record for record in records if record.kind is kind]) for kind in Kind},
        },
        "failures": failures(records),
        "attempts": [
            {
                "number": attempt.number,
                "started": attempt.started.isoformat(),
                "ended": attempt.ended.isoformat() if attempt.ended else None,
                "outcome": attempt.outcome,
            }
            for attempt in sweep.attempts
        ],
        "effort": asdict(content.effort),
        "reproduce": {
            "command": None if overrides is None else shlex.join(["kdsearch", "sweep", *overrides]),
            "seed": sweep.config.get("seed", 0),
            "versions": versions(sweep),
        },
    }


def versions(sweep: SweepRecord) -> dict[str, str]:
    """What the last attempt ran with: versions, kind of device, hashes of the data and of the user's own code."""
    return {str(name): str(value) for name, value in sweep.teacher.get("fingerprint", {}).items()}


def _count(sweep: SweepRecord, summary: CountSummary, saved: LabelsSaved | None, gain: Gain | None) -> dict[str, Any]:
    distilled = _estimate(summary.distilled)
    if distilled is not None and summary.recipe is not None:
        distilled |= {"params": summary.recipe.flat(), "label": summary.recipe_label}
    return {
        "sample_count": summary.sample_count,
        "evaluated_on": summary.evaluated_on,
        "labels": _estimate(summary.labels),
        "distilled": distilled,
        "gain": summary.gain.mean if summary.gain else None,
        "gain_ci95": summary.gain.ci95 if summary.gain else None,
        "gain_ci95_together": gain.together.ci95 if gain else None,
        "gain_standing": gain.standing if gain else None,
        "data_efficiency": summary.data_efficiency.value,
        "data_efficiency_reason": summary.data_efficiency.reason,
        "data_efficiency_at_least": summary.data_efficiency.at_least,
        "data_efficiency_ci95": [saved.low, saved.high] if saved is not None and saved.has_interval else None,
        "controls": {name: _estimate(value) for name, value in summary.controls.items()},
        "failed_seeds": dict(summary.failed_seeds),
        "labels_used": asdict(labels_used(sweep, summary.recipe, summary.sample_count)) if summary.recipe else None,
        "metrics": {
            who: {name: _estimate(value) for name, value in metrics.items()} for who, metrics in summary.metrics.items()
        },
        "pareto": [_front_point(point) for point in summary.front],
        "search": {
            "trials": {state.value: count for state, count in summary.trials.items()},
            "val_accuracy": summary.best.metrics.get("val_accuracy") if summary.best else None,
            "labels_val_accuracy": summary.labels_trial.metrics.get("val_accuracy") if summary.labels_trial else None,
            "gain": summary.validation_gain,
        },
    }


def _teacher(teacher: TeacherRow) -> dict[str, Any]:
    gains = [{"sample_count": count, "gain": _estimate(gain)} for count, gain in teacher.gains.items()]
    return asdict(teacher) | {"gains": gains}


def _recommended(recommendation: Recommendation) -> dict[str, Any]:
    summary = recommendation.summary
    return {
        "sample_count": summary.sample_count,
        "evaluated_on": summary.evaluated_on,
        "label": summary.recipe_label,
        "params": recommendation.recipe.flat(),
        "accuracy": _estimate(summary.distilled),
        "gain": _estimate(summary.gain),
        "is_better": recommendation.is_better,
        "command": recommendation.command,
        "python": recommendation.python,
    }


def _curse(curse: WinnersCurse) -> dict[str, Any]:
    estimates = {name: _estimate(getattr(curse, name)) for name in ("validation", "test", "drop", "gain")}
    return asdict(curse) | estimates


def _answer(answer: Any) -> dict[str, Any]:
    evidence = [asdict(found) | {"estimate": _estimate(found.estimate)} for found in answer.evidence]
    return asdict(answer) | {"evidence": evidence}


def _front_point(point: FrontPoint) -> dict[str, Any]:
    return {
        "trial": point.trial.key,
        "params": point.trial.recipe.flat(),
        "val_accuracy": point.val_accuracy,
        "flops": point.flops,
        "parameters": point.parameters,
    }


def _estimate(value: Estimate | None) -> dict[str, Any] | None:
    return None if value is None else {"mean": value.mean, "ci95": value.ci95, "seeds": value.seeds}


def _states(records: Sequence[TrialRecord]) -> dict[str, int]:
    return {state.value: count for state, count in states(records).items()}
