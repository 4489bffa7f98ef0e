"""What the confirmations say: recipes trained again over fresh seeds and fresh subsets, scored on the test split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

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
    failed: int = 0
    """Seeds that failed, and so are not among the replicates."""

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
    failed = Counter(_recipe_key(record) for record in _failures(records))
    replicates: dict[tuple[int, str], dict[int, TrialRecord]] = {}
    for record in records:
        if _has_test(record):
            replicates.setdefault(_recipe_key(record), {})[record.replicate or 0] = record
    return [
        replace(_confirmed(by_key, key[1], found), failed=failed[key])
        for key, found in sorted(replicates.items(), key=lambda item: item[0][0])
    ]


@dataclass(frozen=True)
class FailedSeeds:
    """A confirmed recipe of which not all seeds could be trained."""

    sample_count: int
    label: str
    failed: int
    finished: int


def failed_seeds(records: Sequence[TrialRecord]) -> list[FailedSeeds]:
    """By sample count and in the order of the records; empty where no confirmation failed."""
    failed: dict[tuple[int, str], list[TrialRecord]] = {}
    for record in _failures(records):
        failed.setdefault(_recipe_key(record), []).append(record)
    finished = Counter(_recipe_key(record) for record in records if _has_test(record))
    return [
        FailedSeeds(key[0], seeds[0].control or seeds[0].recipe.label(), len(seeds), finished[key])
        for key, seeds in sorted(failed.items(), key=lambda item: item[0][0])
    ]


def _failures(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """One failed confirmation for each seed that has no finished one."""
    finished = {(*_recipe_key(record), record.replicate) for record in records if _has_test(record)}
    failed = {
        seed: record
        for record in records
        if record.kind is Kind.CONFIRM and record.state is TrialState.FAIL and record.confirms is not None
        if (seed := (*_recipe_key(record), record.replicate)) not in finished
    }
    return list(failed.values())


def _has_test(record: TrialRecord) -> bool:
    is_finished = record.kind is Kind.CONFIRM and record.state is TrialState.COMPLETE
    has_place = record.confirms is not None and record.replicate is not None
    return is_finished and has_place and accuracy(record, "test") is not None


def _recipe_key(record: TrialRecord) -> tuple[int, str]:
    return record.sample_count, record.confirms or ""


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
