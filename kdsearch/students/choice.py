"""Which of the kept students stands for a sample count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.report.comparison import higher_is_better
from kdsearch.report.confirmation import Confirmed
from kdsearch.report.confirmation import choose
from kdsearch.report.confirmation import confirmed_recipes
from kdsearch.report.summary import search_metric


@dataclass(frozen=True)
class Choice:
    """The recipes that the report names at one sample count."""

    sample_count: int
    distilled: Confirmed
    labels: Confirmed | None
    """The labels-only rival."""
    metric: str
    """The search metric, on validation."""

    def replicates(self, recipe: Confirmed) -> list[TrialRecord]:
        """Its confirmations, the best on the validation split first, of equals the first; never by the test split."""
        sign = -1 if higher_is_better(self.metric) else 1

        def rank(record: TrialRecord) -> float:
            value = record.metrics.get(self.metric, record.value)
            return float("inf") if value is None else sign * float(value)

        return sorted(recipe.replicates.values(), key=rank)


def chosen_students(sweep: SweepRecord, records: Sequence[TrialRecord]) -> dict[int, Choice]:
    """By sample count, those where a distilled recipe has been confirmed."""
    metric = search_metric(sweep)
    confirmed = confirmed_recipes(records)
    choices = {}
    for count in sorted({recipe.sample_count for recipe in confirmed}):
        here = [recipe for recipe in confirmed if recipe.sample_count == count]
        distilled = choose((recipe for recipe in here if recipe.control is None and not recipe.is_labels), metric)
        labels = choose((recipe for recipe in here if recipe.is_labels), metric)
        if distilled is not None:
            choices[count] = Choice(count, distilled, labels, metric)
    return choices
