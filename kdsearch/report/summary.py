"""A sweep's results per sample count, derived from its ledger rows alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any
from typing import Literal

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.recipe import Recipe
from kdsearch.report.comparison import accuracy
from kdsearch.report.comparison import best
from kdsearch.report.comparison import is_labels_only
from kdsearch.report.confirmation import Confirmed
from kdsearch.report.confirmation import choose
from kdsearch.report.confirmation import confirmed_recipes
from kdsearch.report.confirmation import paired_gain
from kdsearch.report.data_efficiency import DataEfficiency
from kdsearch.report.data_efficiency import data_efficiency
from kdsearch.report.pareto import FrontPoint
from kdsearch.report.pareto import pareto_front
from kdsearch.report.statistics import Estimate

Split = Literal["test", "validation"]


@dataclass(frozen=True)
class CountSummary:
    """One sample count. Accuracies and gains are fractions, of the split that `evaluated_on` names."""

    sample_count: int
    trials: Mapping[TrialState, int]
    """Searched trials by state."""
    best: TrialRecord | None
    """The best searched trial by the search metric, on validation."""
    labels_trial: TrialRecord | None
    """The labels-only baseline of the search, on validation."""
    evaluated_on: Split
    recipe: Recipe | None
    """The distilled recipe that `distilled` is about."""
    recipe_label: str | None
    labels: Estimate | None
    distilled: Estimate | None
    gain: Estimate | None
    """distilled - labels: paired over replicates on test, the plain difference on validation."""
    controls: Mapping[str, Estimate]
    """Controls other than labels only."""
    confirms: str | None = None
    """The key of the trial whose recipe `distilled` is about, where it was confirmed."""
    labels_confirms: str | None = None
    """Likewise of `labels`."""
    failed_seeds: Mapping[str, int] = field(default_factory=dict)
    """How many seeds of the confirmed `labels` and `distilled` failed; the means are those of the others."""
    metrics: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    """What else was measured of the confirmed students, by name, under `labels` and `distilled`."""
    front: Sequence[FrontPoint] = ()
    """The searched students that are best for what they cost, where they differ in it."""
    data_efficiency: DataEfficiency = DataEfficiency(None, "there is no distilled accuracy yet")

    @property
    def validation_gain(self) -> float | None:
        """Gain of the best searched trial over labels only, on validation."""
        if self.best is None or self.labels_trial is None:
            return None
        ours, theirs = accuracy(self.best), accuracy(self.labels_trial)
        return None if ours is None or theirs is None else ours - theirs


def summarize(sweep: SweepRecord, records: Sequence[TrialRecord]) -> list[CountSummary]:
    """One summary per sample count of the sweep, smallest first."""
    metric = search_metric(sweep)
    confirmed = confirmed_recipes(records)
    summaries = [
        _confirmed(summary, [recipe for recipe in confirmed if recipe.sample_count == summary.sample_count], metric)
        for summary in summarize_search(sweep, records)
    ]
    return [replace(summary, data_efficiency=_efficiency(summary, summaries)) for summary in summaries]


def summarize_search(sweep: SweepRecord, records: Sequence[TrialRecord]) -> list[CountSummary]:
    """The search alone, on validation, without data efficiency: what `status` needs, without its imports."""
    metric = search_metric(sweep)
    of_count: dict[int, list[TrialRecord]] = {count: [] for count in sample_counts(sweep, records)}
    for record in records:
        of_count[record.sample_count].append(record)
    return [_searched(count, rows, metric) for count, rows in of_count.items()]


def search_metric(sweep: SweepRecord) -> str:
    return str(sweep.config["search"]["metric"])


def sample_counts(sweep: SweepRecord, records: Iterable[TrialRecord] = ()) -> list[int]:
    """Those of the configuration and of the records, smallest first."""
    return sorted({*map(int, sweep.config["sample_counts"]), *(record.sample_count for record in records)})


def failures(records: Iterable[TrialRecord]) -> dict[str, int]:
    """How many trials failed, by reason, the most frequent first."""
    return dict(Counter(record.failure for record in records if record.failure is not None).most_common())


def states(records: Iterable[TrialRecord]) -> dict[TrialState, int]:
    """How many trials are in each state; every state is named."""
    counts = Counter(record.state for record in records)
    return {state: counts[state] for state in TrialState}


def gain_over_labels(record: TrialRecord, baseline: TrialRecord | None) -> dict[str, float]:
    """The final metric `gain_over_labels` of a finished trial (validation accuracy), empty where it is not known."""
    ours = accuracy(record)
    theirs = accuracy(baseline) if baseline is not None else None
    if record.state is not TrialState.COMPLETE or ours is None or theirs is None:
        return {}
    return {"gain_over_labels": ours - theirs}


def labels_baselines(records: Iterable[TrialRecord], metric: str) -> dict[int, TrialRecord]:
    """The best labels-only trial of the search, by sample count."""
    rows: dict[int, list[TrialRecord]] = {}
    for record in records:
        if record.kind is Kind.CONTROL and is_labels_only(record):
            rows.setdefault(record.sample_count, []).append(record)
    found = {count: best(candidates, metric) for count, candidates in rows.items()}
    return {count: record for count, record in found.items() if record is not None}


def best_trials(records: Iterable[TrialRecord], metric: str, most: int) -> list[TrialRecord]:
    """The `most` best searched trials, best first."""
    remaining = [record for record in records if record.kind is Kind.SEARCH]
    found: list[TrialRecord] = []
    while len(found) < most and (leader := best(remaining, metric)) is not None:
        found.append(leader)
        remaining.remove(leader)
    return found


def unlabelled_count(sweep: SweepRecord) -> int:
    """How many samples students hear the teacher about without a label."""
    dataset: Mapping[str, Any] = sweep.config.get("dataset", {})
    return int(dataset.get("unlabelled_count") or 0)


def data_facts(sweep: SweepRecord) -> Mapping[str, Any]:
    """`class_counts` of the train pool, `imbalance` and `class_names`; empty before the data were read."""
    facts: Mapping[str, Any] = sweep.teacher.get("data", {})
    return facts


def _searched(sample_count: int, records: Sequence[TrialRecord], metric: str) -> CountSummary:
    searched = [record for record in records if record.kind is Kind.SEARCH]
    leader = best(searched, metric)
    baseline = labels_baselines(records, metric).get(sample_count)
    summary = CountSummary(
        sample_count=sample_count,
        trials=states(searched),
        best=leader,
        labels_trial=baseline,
        evaluated_on="validation",
        recipe=leader.recipe if leader else None,
        recipe_label=leader.label if leader else None,
        labels=_single(baseline),
        distilled=_single(leader),
        gain=None,
        controls=_searched_controls(records, metric),
        front=pareto_front(records),
    )
    gain = summary.validation_gain
    return summary if gain is None else replace(summary, gain=Estimate(gain, None, 1))


def _searched_controls(records: Sequence[TrialRecord], metric: str) -> dict[str, Estimate]:
    of_name: dict[str, list[TrialRecord]] = {}
    for record in records:
        if record.kind is Kind.CONTROL and record.control and not is_labels_only(record):
            of_name.setdefault(record.control, []).append(record)
    found = {name: _single(best(rows, metric)) for name, rows in of_name.items()}
    return {name: value for name, value in found.items() if value is not None}


def _confirmed(summary: CountSummary, confirmed: Sequence[Confirmed], metric: str) -> CountSummary:
    """The summary on the test split, where a distilled recipe of its count has been confirmed."""
    distilled = choose((recipe for recipe in confirmed if recipe.control is None and not recipe.is_labels), metric)
    labels = choose((recipe for recipe in confirmed if recipe.is_labels), metric)
    if distilled is None:
        return summary
    return replace(
        summary,
        evaluated_on="test",
        confirms=distilled.confirms,
        labels_confirms=labels.confirms if labels else None,
        failed_seeds={"distilled": distilled.failed} | ({"labels": labels.failed} if labels else {}),
        recipe=distilled.recipe,
        recipe_label=distilled.label,
        labels=labels.test() if labels else None,
        distilled=distilled.test(),
        gain=paired_gain(distilled, labels) if labels else None,
        metrics={"distilled": distilled.metrics()} | ({"labels": labels.metrics()} if labels else {}),
        controls={recipe.control: recipe.test() for recipe in confirmed if recipe.control and not recipe.is_labels},
    )


def _single(record: TrialRecord | None) -> Estimate | None:
    value = accuracy(record) if record is not None else None
    return None if value is None else Estimate(value, None, 1)


def _efficiency(summary: CountSummary, summaries: Sequence[CountSummary]) -> DataEfficiency:
    if summary.distilled is None:
        return summary.data_efficiency
    curve = {
        other.sample_count: other.labels.mean
        for other in summaries
        if other.labels is not None and other.evaluated_on == summary.evaluated_on
    }
    return data_efficiency(summary.sample_count, summary.distilled.mean, curve)
