"""What the confirmations say: recipes trained again over fresh seeds and fresh subsets, scored on the test split."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.recipe import Recipe
from kdsearch.report.comparison import LABELS_CONTROL
from kdsearch.report.comparison import accuracy
from kdsearch.report.comparison import higher_is_better
from kdsearch.report.comparison import is_labels_only
from kdsearch.report.statistics import Estimate
from kdsearch.report.statistics import estimate


@dataclass(frozen=True)
class Confirmed:
    """One recipe of one sample count and its finished confirmations by replicate index."""

    confirms: str
    sample_count: int
    recipe: Recipe
    control: str | None
    is_labels: bool
    """Whether it is the labels-only baseline."""
    label: str
    replicates: Mapping[int, TrialRecord]

    def test_accuracies(self) -> dict[int, float]:
        """By replicate index."""
        values = {index: accuracy(record, "test") for index, record in self.replicates.items()}
        return {index: value for index, value in values.items() if value is not None}

    def test(self) -> Estimate:
        return estimate(list(self.test_accuracies().values()))

    def metrics(self) -> dict[str, Estimate]:
        """Every final metric that all replicates have, but the accuracy that `test` gives."""
        rows = [record.metrics for record in self.replicates.values()]
        names = [name for name in rows[0] if name != "test_accuracy" and all(name in row for row in rows)]
        return {name: estimate([float(row[name]) for row in rows]) for name in names}

    def validation(self, metric: str) -> float | None:
        """Mean of the search metric over the fresh seeds: what chooses among the confirmed recipes."""
        values = [record.metrics.get(metric, record.value) for record in self.replicates.values()]
        known = [float(value) for value in values if value is not None]
        return sum(known) / len(known) if known else None


def confirmed_recipes(records: Sequence[TrialRecord]) -> list[Confirmed]:
    """Every recipe with a test accuracy, by sample count and in the order of the records."""
    by_key = {record.key: record for record in records}
    replicates: dict[tuple[int, str], dict[int, TrialRecord]] = {}
    for record in records:
        if record.kind is not Kind.CONFIRM or record.state is not TrialState.COMPLETE or record.confirms is None:
            continue
        if accuracy(record, "test") is not None and record.replicate is not None:
            replicates.setdefault((record.sample_count, record.confirms), {})[record.replicate] = record
    return [_confirmed(by_key, confirms, found) for (_, confirms), found in sorted(replicates.items(), key=_count)]


def choose(recipes: Iterable[Confirmed], metric: str) -> Confirmed | None:
    """The recipe with the best mean validation value, among those with the most finished replicates; never by test."""
    candidates = [(recipe, recipe.validation(metric)) for recipe in recipes]
    known = [(recipe, value) for recipe, value in candidates if value is not None]
    if not known:
        return None
    sign = 1 if higher_is_better(metric) else -1
    return max(known, key=lambda candidate: (len(candidate[0].replicates), sign * candidate[1]))[0]


def paired_gain(recipe: Confirmed, baseline: Confirmed) -> Estimate | None:
    """Mean difference of test accuracy over shared replicates (the same subset), with its t-interval."""
    ours, theirs = recipe.test_accuracies(), baseline.test_accuracies()
    differences = [ours[index] - theirs[index] for index in sorted(ours.keys() & theirs.keys())]
    return estimate(differences) if differences else None


def confirmation_rounds(records: Iterable[TrialRecord]) -> int:
    """How often recipes were picked and scored on the test split: attempts that began to confirm a new recipe.

    A round that was interrupted between two recipes counts as two, so it is never too few.
    """
    began: dict[str, int] = {}
    for record in records:
        if record.kind is Kind.CONFIRM and record.confirms is not None and record.attempts:
            first = record.attempts[0]
            began[record.confirms] = min(began.get(record.confirms, first), first)
    return len(set(began.values()))


def _confirmed(by_key: Mapping[str, TrialRecord], confirms: str, found: Mapping[int, TrialRecord]) -> Confirmed:
    first = next(iter(found.values()))
    origin = by_key.get(confirms)
    return Confirmed(
        confirms=confirms,
        sample_count=first.sample_count,
        recipe=first.recipe,
        control=first.control,
        is_labels=first.control == LABELS_CONTROL or (origin is not None and is_labels_only(origin)),
        label=first.control or first.recipe.label(),
        replicates=dict(sorted(found.items())),
    )


def _count(item: tuple[tuple[int, str], object]) -> int:
    return item[0][0]
