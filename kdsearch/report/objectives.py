"""Objectives side by side, at each sample count."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from kdsearch.ledger.records import TrialRecord
from kdsearch.report.comparison import accuracy
from kdsearch.report.comparison import best
from kdsearch.report.results import Results
from kdsearch.report.statistics import Estimate


@dataclass(frozen=True)
class ObjectiveResult:
    """One objective at one sample count; accuracies are fractions."""

    sample_count: int
    objective: str
    trials: int
    """Searched trials that finished with an accuracy."""
    best: float
    """Validation accuracy of the best of them by the search metric."""
    median: float
    """Of their validation accuracies."""
    confirmed: Estimate | None
    """Test accuracy of that best one's recipe, where it was confirmed."""


def compare_objectives(results: Results) -> list[ObjectiveResult]:
    """By sample count, the best objective first."""
    found: list[ObjectiveResult] = []
    for sample_count in results.sample_counts:
        by_objective: dict[str, list[TrialRecord]] = {}
        for record in results.searched(sample_count):
            by_objective.setdefault(record.recipe.objective, []).append(record)
        compared = [_result(results, name, records) for name, records in by_objective.items()]
        found += sorted((result for result in compared if result is not None), key=lambda r: (-r.best, r.objective))
    return found


def _result(results: Results, objective: str, records: Sequence[TrialRecord]) -> ObjectiveResult | None:
    accuracies = [value for record in records if (value := accuracy(record)) is not None]
    leader = best(records, results.metric)
    value = accuracy(leader) if leader is not None else None
    if leader is None or value is None:
        return None
    confirmed = next((recipe for recipe in results.confirmed if recipe.confirms == leader.key), None)
    return ObjectiveResult(
        leader.sample_count,
        objective,
        len(accuracies),
        value,
        statistics.median(accuracies),
        confirmed.test() if confirmed is not None else None,
    )
