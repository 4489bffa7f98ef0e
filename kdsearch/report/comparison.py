"""How trials are compared: which value is better, and what counts as training on labels only."""

from __future__ import annotations

from collections.abc import Iterable

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.objectives.spec import LABELS

LABELS_CONTROL = "labels"
"""The control that distillation is compared with."""


def higher_is_better(metric: str) -> bool:
    """`val_accuracy` and `val_balanced_accuracy` are maximised, `val_nll` is minimised."""
    return not metric.endswith("nll")


def is_better(metric: str, value: float, other: float) -> bool:
    return value > other if higher_is_better(metric) else value < other


def best(records: Iterable[TrialRecord], metric: str) -> TrialRecord | None:
    """The COMPLETE record with the best value; of equals the oldest."""
    found: TrialRecord | None = None
    for record in records:
        if record.state is not TrialState.COMPLETE or record.value is None:
            continue
        if found is None or found.value is None or is_better(metric, record.value, found.value):
            found = record
    return found


def is_labels_only(record: TrialRecord) -> bool:
    """Whether a record belongs to the baseline: the control `labels`, or its rival that was searched with a budget."""
    if record.kind is Kind.SEARCH or record.recipe.objective != LABELS:
        return False
    return record.control == LABELS_CONTROL or (record.kind is Kind.CONTROL and bool(record.params))


def accuracy(record: TrialRecord, split: str = "val") -> float | None:
    """A record's accuracy, a fraction; None when it has none."""
    value = record.metrics.get(f"{split}_accuracy")
    return None if value is None else float(value)
