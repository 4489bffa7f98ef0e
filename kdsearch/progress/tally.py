"""Keeps a sweep's counts up to date, one ledger row at a time, so that a snapshot never reads the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.progress.snapshot import Best
from kdsearch.progress.snapshot import CountRow
from kdsearch.progress.snapshot import Phase
from kdsearch.progress.snapshot import ProgressSnapshot
from kdsearch.report.comparison import is_better
from kdsearch.report.comparison import is_labels_only


class Tally:
    """Counts of a sweep. `targets` holds each sample count's trials of all kinds, confirmations included."""

    def __init__(self, targets: Mapping[int, int], metric: str) -> None:
        self._targets = dict(targets)
        self._metric = metric
        self._states: dict[str, TrialState] = {}
        self._counts: dict[int, Counter[TrialState]] = {count: Counter() for count in targets}
        self._best: dict[int, Best] = {}
        self._labels: dict[int, float] = {}
        self._failures: Counter[str] = Counter()

    def add(self, records: Iterable[TrialRecord]) -> None:
        for record in records:
            self.update(record)

    def update(self, record: TrialRecord) -> None:
        """Take in the present state of a row; the same state again changes nothing."""
        before = self._states.get(record.key)
        if before is record.state:
            return
        counts = self._counts.setdefault(record.sample_count, Counter())
        if before is not None:
            counts[before] -= 1
        counts[record.state] += 1
        self._states[record.key] = record.state
        if record.failure is not None:
            self._failures[record.failure] += 1
        if record.state is TrialState.COMPLETE and record.value is not None:
            self._compare(record, record.value)

    def snapshot(self, phase: Phase, elapsed: float, message: str = "") -> ProgressSnapshot:
        rows = tuple(self._row(count) for count in sorted(self._counts))
        return ProgressSnapshot(
            phase=phase,
            counts=rows,
            target=sum(self._targets.values()),
            done=sum(row.done for row in rows),
            elapsed=elapsed,
            metric=self._metric,
            failures=dict(self._failures),
            message=message,
        )

    def _row(self, sample_count: int) -> CountRow:
        counts = self._counts[sample_count]
        return CountRow(
            sample_count,
            complete=counts[TrialState.COMPLETE],
            running=counts[TrialState.RUNNING],
            pruned=counts[TrialState.PRUNED],
            failed=counts[TrialState.FAIL],
            target=self._targets.get(sample_count, 0),
            best=self._best.get(sample_count),
            labels=self._labels.get(sample_count),
        )

    def _compare(self, record: TrialRecord, value: float) -> None:
        count = record.sample_count
        if record.kind is Kind.SEARCH:
            best = self._best.get(count)
            if best is None or is_better(self._metric, value, best.value):
                self._best[count] = Best(record.label, value)
        elif record.kind is Kind.CONTROL and is_labels_only(record):
            labels = self._labels.get(count)
            if labels is None or is_better(self._metric, value, labels):
                self._labels[count] = value
