"""Which of the kept students stands for a sample count."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.report.comparison import higher_is_better
from kdsearch.report.confirmation import Confirmed
from kdsearch.report.confirmation import choose
from kdsearch.report.confirmation import confirmed_recipes
from kdsearch.report.summary import search_metric
from kdsearch.students.store import KeptStudent
from kdsearch.students.store import StudentStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """The recipes that the report names at one sample count."""

    sample_count: int
    distilled: Confirmed
    labels: Confirmed | None
    """The labels-only rival."""


@dataclass(frozen=True)
class Best:
    """One student, and the confirmation that trained it."""

    trial: TrialRecord
    student: KeptStudent


def chosen_recipes(sweep: SweepRecord, records: Sequence[TrialRecord]) -> dict[int, Choice]:
    """By sample count, those where a distilled recipe has been confirmed."""
    metric = search_metric(sweep)
    confirmed = confirmed_recipes(records)
    choices = {}
    for count in sorted({recipe.sample_count for recipe in confirmed}):
        here = [recipe for recipe in confirmed if recipe.sample_count == count]
        distilled = choose((recipe for recipe in here if recipe.control is None and not recipe.is_labels), metric)
        if distilled is not None:
            choices[count] = Choice(count, distilled, choose((r for r in here if r.is_labels), metric))
    return choices


def best_student(recipe: Confirmed, metric: str, store: StudentStore) -> Best | None:
    """The student of the confirmation that is best on the validation split, of equals the first; never by the test
    split. One that was not kept, or is damaged, is passed over; None where there is no other."""
    for trial in by_validation(recipe, metric):
        try:
            student = store.load(trial.key)
        except ValueError as error:
            logger.warning("passed over %s: %s", store.path(trial.key), error)
            continue
        if student is not None:
            return Best(trial, student)
    return None


def by_validation(recipe: Confirmed, metric: str) -> list[TrialRecord]:
    """The confirmations of a recipe, the best on the validation split first, of equals the first."""
    sign = -1 if higher_is_better(metric) else 1

    def rank(record: TrialRecord) -> float:
        value = record.metrics.get(metric, record.value)
        return float("inf") if value is None else sign * float(value)

    return sorted(recipe.replicates.values(), key=rank)
