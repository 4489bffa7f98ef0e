"""The winner's curse: the best of many noisy results is lucky as well as good, so its value flatters it."""

from __future__ import annotations

from dataclasses import dataclass

from kdsearch.ledger.records import Kind
from kdsearch.report.comparison import accuracy
from kdsearch.report.comparison import best
from kdsearch.report.confirmation import Confirmed
from kdsearch.report.confirmation import paired_gain
from kdsearch.report.results import Results
from kdsearch.report.statistics import Estimate
from kdsearch.report.statistics import estimate


@dataclass(frozen=True)
class WinnersCurse:
    """The winner of one sample count's search, and what became of it. Accuracies and gains are fractions."""

    sample_count: int
    trial: str
    """The winner's key."""
    label: str
    searched: float
    """Validation accuracy in the search: the best of `trials`."""
    trials: int
    validation: Estimate
    """The same, over fresh seeds and fresh subsets."""
    test: Estimate
    drop: Estimate
    """searched - validation, over the fresh seeds: what was luck (of seed and subset)."""
    searched_gain: float | None
    """Over labels only in the search, on validation."""
    gain: Estimate | None
    """Over labels only on the test split, paired by replicate."""
    is_recommended: bool
    """Whether the confirmation chose it, too."""


def winners_curse(results: Results) -> list[WinnersCurse]:
    """One for each sample count whose winner was confirmed with validation accuracies."""
    found = [_of_count(results, sample_count) for sample_count in results.sample_counts]
    return [curse for curse in found if curse is not None]


def _of_count(results: Results, sample_count: int) -> WinnersCurse | None:
    searched = results.searched(sample_count)
    winner = best(searched, results.metric)
    summary = next(summary for summary in results.summaries if summary.sample_count == sample_count)
    of_count = [recipe for recipe in results.confirmed if recipe.sample_count == sample_count]
    confirmed = next((recipe for recipe in of_count if winner is not None and recipe.confirms == winner.key), None)
    if winner is None or confirmed is None:
        return None
    before, after = accuracy(winner), _validation_accuracies(confirmed)
    if before is None or not after:
        return None
    labels = next((recipe for recipe in of_count if recipe.confirms == summary.labels_confirms), None)
    return WinnersCurse(
        sample_count,
        winner.key,
        winner.label,
        searched=before,
        trials=len(searched),
        validation=estimate(after),
        test=confirmed.test(),
        drop=estimate([before - value for value in after]),
        searched_gain=summary.validation_gain,
        gain=paired_gain(confirmed, labels) if labels is not None else None,
        is_recommended=summary.confirms == winner.key,
    )


def _validation_accuracies(recipe: Confirmed) -> list[float]:
    values = [accuracy(record) for record in recipe.replicates.values() if record.kind is Kind.CONFIRM]
    return [value for value in values if value is not None]
