"""`report.json`: the results of a sweep for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.report.confirmation import confirmation_rounds
from kdsearch.report.pareto import FrontPoint
from kdsearch.report.statistics import Estimate
from kdsearch.report.summary import CountSummary
from kdsearch.report.summary import data_facts
from kdsearch.report.summary import failures
from kdsearch.report.summary import search_metric
from kdsearch.report.summary import states
from kdsearch.report.summary import summarize
from kdsearch.report.summary import teacher_sample_count
from kdsearch.report.summary import unlabelled_count
from kdsearch.report.summary import validation_count
from kdsearch.report.wording import verdict


def report_document(sweep: SweepRecord, records: Sequence[TrialRecord]) -> dict[str, Any]:
    """All accuracies and gains are fractions; `ci95` is the half-width of a 95 % t-interval over `seeds` values."""
    summaries = summarize(sweep, records)
    splits = {summary.evaluated_on for summary in summaries}
    return {
        "name": sweep.name,
        "uid": sweep.uid,
        "state": sweep.state.value,
        "verdict": verdict(sweep, records),
        "evaluated_on": splits.pop() if len(splits) == 1 else "mixed",
        "search_metric": search_metric(sweep),
        "counts": [_count(summary) for summary in summaries],
        "teacher": {key: value for key, value in sweep.teacher.items() if key not in ("data", "packs")},
        "data": dict(data_facts(sweep)),
        "trials_per_worker": dict(sweep.teacher.get("packs", {})),
        "labels_used": {
            "validation": validation_count(sweep),
            "teacher": teacher_sample_count(sweep),
        },
        "unlabelled_count": unlabelled_count(sweep),
        "confirmation_rounds": confirmation_rounds(records),
        "trials": {
            "target": sweep.target,
            **{kind.value: _states([record for record in records if record.kind is kind]) for kind in Kind},
        },
        "failures": failures(records),
    }


def _count(summary: CountSummary) -> dict[str, Any]:
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
        "data_efficiency": summary.data_efficiency.value,
        "data_efficiency_reason": summary.data_efficiency.reason,
        "data_efficiency_at_least": summary.data_efficiency.at_least,
        "controls": {name: _estimate(value) for name, value in summary.controls.items()},
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
