"""The runs that answers rest on: for each sample count what was trained, by name and by replicate.

Where anything was confirmed these are the confirmations alone, scored on the test split: recipes of one replicate share
seed and subset, so differences between them are paired. Otherwise they are the single runs of the search, on
validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from typing import Literal

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.questions.intervals import difference
from kdsearch.questions.intervals import estimate_of
from kdsearch.report.comparison import best
from kdsearch.report.comparison import is_labels_only
from kdsearch.report.confirmation import Confirmed
from kdsearch.report.confirmation import choose
from kdsearch.report.confirmation import confirmed_recipes
from kdsearch.report.statistics import Estimate
from kdsearch.report.summary import labels_baselines
from kdsearch.report.summary import search_metric

LABELS, DISTILLED = "labels", "distilled"
"""Labels only, and the best searched recipe; every other name is that of a control."""
KL = "kl"
"""The control that others differ from in one thing: the sweep's own teacher and student, KL, alpha=1."""


@dataclass(frozen=True)
class Runs:
    split: Literal["test", "validation"]
    by_count: Mapping[int, Mapping[str, Mapping[int, TrialRecord]]]
    """Sample count → name → replicate → run."""
    teachers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What is recorded of each teacher, by the name of the control that is taught by it (`kl`, `teacher=small`)."""

    @property
    def counts(self) -> list[int]:
        return sorted(self.by_count)

    @property
    def seeds(self) -> int:
        """Replicates of a run, at most."""
        return max((len(run) for runs in self.by_count.values() for run in runs.values()), default=0)

    def names(self, prefix: str = "") -> list[str]:
        """Those of any sample count that begin with `prefix`, in the order in which they come."""
        found = dict.fromkeys(name for runs in self.by_count.values() for name in runs)
        return [name for name in found if name.startswith(prefix)]

    def metric(self, sample_count: int, name: str, metric: str) -> dict[int, float]:
        """By replicate."""
        runs = self.by_count[sample_count].get(name, {})
        return {replicate: float(run.metrics[metric]) for replicate, run in runs.items() if metric in run.metrics}

    def accuracies(self, sample_count: int, name: str) -> dict[int, float]:
        return self.metric(sample_count, name, "test_accuracy" if self.split == "test" else "val_accuracy")

    def gains(self, sample_count: int, name: str, over: str = LABELS) -> dict[int, float]:
        """How much more accurate `name` is than `over`, by replicate."""
        return difference(self.accuracies(sample_count, name), self.accuracies(sample_count, over))

    def gain(self, sample_count: int, name: str, over: str = LABELS) -> Estimate | None:
        return estimate_of(self.gains(sample_count, name, over))

    def gains_by_count(self, name: str, over: str = LABELS) -> dict[int, Estimate]:
        """The sample counts at which both were trained, with the gain at each."""
        found = {count: self.gain(count, name, over) for count in self.counts}
        return {count: gain for count, gain in found.items() if gain is not None}


def runs_of(sweep: SweepRecord, records: Sequence[TrialRecord]) -> Runs:
    metric = search_metric(sweep)
    confirmed = confirmed_recipes(records)
    if confirmed:
        counts = sorted({recipe.sample_count for recipe in confirmed})
        by_count = {n: _confirmed([recipe for recipe in confirmed if recipe.sample_count == n], metric) for n in counts}
    else:
        counts = sorted({record.sample_count for record in records})
        found = {n: _searched([record for record in records if record.sample_count == n], metric) for n in counts}
        by_count = {n: {name: {0: run} for name, run in runs.items()} for n, runs in found.items() if runs}
    return Runs("test" if confirmed else "validation", by_count, _teachers(sweep))


def _confirmed(recipes: Sequence[Confirmed], metric: str) -> dict[str, Mapping[int, TrialRecord]]:
    chosen = {
        LABELS: choose((recipe for recipe in recipes if recipe.is_labels), metric),
        DISTILLED: choose((recipe for recipe in recipes if recipe.control is None and not recipe.is_labels), metric),
    }
    controls = {recipe.control: recipe for recipe in recipes if recipe.control and not recipe.is_labels}
    return {name: recipe.replicates for name, recipe in {**chosen, **controls}.items() if recipe is not None}


def _searched(records: Sequence[TrialRecord], metric: str) -> dict[str, TrialRecord]:
    controls: dict[str, list[TrialRecord]] = {}
    for record in records:
        if record.kind is Kind.CONTROL and record.control and not is_labels_only(record):
            controls.setdefault(record.control, []).append(record)
    chosen = {
        LABELS: next(iter(labels_baselines(records, metric).values()), None),
        DISTILLED: best((record for record in records if record.kind is Kind.SEARCH), metric),
        **{name: best(rows, metric) for name, rows in controls.items()},
    }
    return {name: record for name, record in chosen.items() if record is not None}


def _teachers(sweep: SweepRecord) -> dict[str, Mapping[str, Any]]:
    """Each teacher once, though it may have two names."""
    named = {f"teacher={name}": facts for name, facts in sweep.teacher.get("teachers", {}).items()}
    found: dict[str, Mapping[str, Any]] = {}
    for name, facts in {KL: sweep.teacher, **named}.items():
        if facts.get("hash") not in [other.get("hash") for other in found.values()]:
            found[name] = facts
    return found
