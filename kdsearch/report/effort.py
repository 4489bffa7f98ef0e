"""How a sweep ran, from its ledger rows: trials, time, what it cost."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord


@dataclass(frozen=True)
class Spent:
    """Time of some finished trials, in seconds, each from its start to its end.

    Trials of one pack share their time, and one that was interrupted counts from its first start.
    """

    trials: int
    total: float
    """Summed over the trials."""
    median: float
    at_once: float
    """How many were at work at once, on average over the time at which any was."""


@dataclass(frozen=True)
class Effort:
    seconds: float
    """Of all finished attempts."""
    teacher_seconds: float | None
    device: str | None
    """The kind of device, where it was recorded."""
    spent: dict[str, Spent]
    """By kind of trial; only kinds with a finished trial."""
    worker_seconds: float
    """Summed over the finished trials. Where trials are packed an upper bound: those of a pack share their worker, and
    the ledger does not say which they are."""
    gpu_seconds: float
    """Of the GPUs that they held, likewise; 0 where they held none."""
    is_bound: bool
    """Whether trials may have shared a worker."""


def effort(sweep: SweepRecord, records: Sequence[TrialRecord]) -> Effort:
    seconds = sweep.teacher.get("seconds")
    spent = {kind.value: _spent(record for record in records if record.kind is kind) for kind in Kind}
    worker_seconds = sum(found.total for found in spent.values() if found is not None)
    resources: Mapping[str, Any] = sweep.config.get("resources", {})
    packs: Mapping[str, int] = sweep.teacher.get("packs", {})
    return Effort(
        sweep.seconds_used(),
        None if seconds is None else float(seconds),
        sweep.teacher.get("fingerprint", {}).get("device"),
        {kind: found for kind, found in spent.items() if found is not None},
        worker_seconds,
        worker_seconds * float(resources.get("gpus_per_trial", 0)),
        is_bound=any(size > 1 for size in packs.values()),
    )


def trial_seconds(record: TrialRecord) -> float | None:
    """From start to end; None for one that has not ended."""
    if record.started is None or record.ended is None:
        return None
    return max(0.0, (record.ended - record.started).total_seconds())


def _spent(records: Iterable[TrialRecord]) -> Spent | None:
    spans = [(r.started, r.ended) for r in records if r.started is not None and r.ended is not None]
    if not spans:
        return None
    lengths = [max(0.0, (end - start).total_seconds()) for start, end in spans]
    busy = _union(spans)
    return Spent(len(spans), sum(lengths), statistics.median(lengths), sum(lengths) / busy if busy else 1.0)


def _union(spans: Sequence[tuple[datetime, datetime]]) -> float:
    """Seconds that lie in at least one of the spans."""
    total, reached = 0.0, min(start for start, _ in spans)
    for start, end in sorted(spans):
        if end > reached:
            total += (end - max(start, reached)).total_seconds()
            reached = end
    return total
