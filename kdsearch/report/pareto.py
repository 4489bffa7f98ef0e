"""Students that are good for what they cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.report.comparison import accuracy

FLOPS, PARAMETERS = "student_flops", "student_parameters"


@dataclass(frozen=True)
class FrontPoint:
    """A searched trial that no other one of its sample count beats in both accuracy (validation) and FLOPs."""

    trial: TrialRecord
    val_accuracy: float
    flops: int
    """Of one forward pass of one sample."""
    parameters: int


def pareto_front(records: Iterable[TrialRecord]) -> list[FrontPoint]:
    """The front of one sample count's searched trials, cheapest first; empty where all students cost the same."""
    points = [point for record in records if (point := _point(record)) is not None]
    if len({point.flops for point in points}) < 2:
        return []
    front: list[FrontPoint] = []
    for point in sorted(points, key=lambda point: (point.flops, -point.val_accuracy, point.trial.number)):
        if not front or point.val_accuracy > front[-1].val_accuracy:
            front.append(point)
    return front


def _point(record: TrialRecord) -> FrontPoint | None:
    value = accuracy(record)
    if record.kind is not Kind.SEARCH or record.state is not TrialState.COMPLETE or value is None:
        return None
    if FLOPS not in record.metrics:
        return None
    return FrontPoint(record, value, int(record.metrics[FLOPS]), int(record.metrics[PARAMETERS]))
