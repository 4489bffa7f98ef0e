"""Teachers side by side: how good each is, what it has cost, and what students gain from it."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import TrialRecord
from kdsearch.recipe import Recipe
from kdsearch.report.comparison import accuracy
from kdsearch.report.comparison import best
from kdsearch.report.confirmation import choose
from kdsearch.report.confirmation import paired_gain
from kdsearch.report.labels_used import teacher_facts
from kdsearch.report.results import Results
from kdsearch.report.statistics import Estimate
from kdsearch.report.summary import CountSummary

MEASURES = ("val_accuracy", "val_nll", "val_brier", "val_ece")
OWN = "the sweep's own"


@dataclass(frozen=True)
class TeacherRow:
    """One teacher; accuracies and gains are fractions, its measures are of the validation split."""

    name: str
    also: Sequence[str]
    """Other names that the sweep has for it."""
    labels: int | None
    """Samples that it has seen; of several networks the most that one has."""
    networks: int
    parameters: int | None
    measures: Mapping[str, float]
    gains: Mapping[int, Estimate]
    """By sample count: of the best of its students (on validation) over labels only, as the recipes' are measured."""


def teacher_rows(results: Results) -> list[TeacherRow]:
    """The sweep's own first; a teacher with two names stands here once. Empty before any was trained."""
    names: dict[str, list[str | None]] = {}
    for name in (None, *results.sweep.teacher.get("teachers", {})):
        facts = teacher_facts(results.sweep, name)
        if "hash" in facts:
            names.setdefault(str(facts["hash"]), []).append(name)
    return [_row(results, found) for found in names.values()]


def _row(results: Results, names: Sequence[str | None]) -> TeacherRow:
    facts = teacher_facts(results.sweep, names[0])
    gains = {summary.sample_count: _gain(results, summary, names) for summary in results.summaries}
    return TeacherRow(
        name=names[0] or OWN,
        also=[name for name in names[1:] if name is not None],
        labels=_whole(facts, "sample_count"),
        networks=len(facts.get("networks", [])) or 1,
        parameters=_whole(facts, "parameter_count"),
        measures={measure: float(facts[measure]) for measure in MEASURES if facts.get(measure) is not None},
        gains={count: gain for count, gain in gains.items() if gain is not None},
    )


def _gain(results: Results, summary: CountSummary, names: Sequence[str | None]) -> Estimate | None:
    if summary.evaluated_on == "test":
        of_count = [recipe for recipe in results.confirmed if recipe.sample_count == summary.sample_count]
        labels = next((recipe for recipe in of_count if recipe.confirms == summary.labels_confirms), None)
        taught = [recipe for recipe in of_count if _is_taught(recipe.recipe, names, recipe.control is not None)]
        chosen = choose(taught, results.metric)
        return None if chosen is None or labels is None else paired_gain(chosen, labels)
    students = [
        record
        for record in results.records
        if record.sample_count == summary.sample_count
        and record.kind is not Kind.CONFIRM
        and _is_taught(record.recipe, names, record.kind is Kind.CONTROL)
    ]
    return _searched_gain(best(students, results.metric), summary.labels_trial)


def _searched_gain(ours: TrialRecord | None, labels: TrialRecord | None) -> Estimate | None:
    if ours is None or labels is None:
        return None
    mine, theirs = accuracy(ours), accuracy(labels)
    return None if mine is None or theirs is None else Estimate(mine - theirs, None, 1)


def _is_taught(recipe: Recipe, names: Sequence[str | None], is_control: bool) -> bool:
    """By this teacher, and by what it says itself. Controls of another student are none to compare with labels only."""
    source = recipe.source
    hears = (source.is_taught and source.signal == "teacher") or source.feature is not None
    return hears and recipe.teacher in names and not (is_control and recipe.student is not None)


def _whole(facts: Mapping[str, Any], key: str) -> int | None:
    return None if facts.get(key) is None else int(facts[key])
