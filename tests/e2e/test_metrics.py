"""A real sweep by a metric other than accuracy, under a pruner: every evaluation has to have it."""

from __future__ import annotations

import math

from kdsearch.ledger import Kind
from kdsearch.ledger import TrialState
from tests.e2e.harness import Workplace


def test_a_pruned_search_by_balanced_accuracy(workplace: Workplace) -> None:
    workplace.sweep("search.metric=val_balanced_accuracy", "pruner=median", "sample_counts=[50]", "confirm.seeds=1")
    records = workplace.load().records
    assert all(record.state in (TrialState.COMPLETE, TrialState.PRUNED) for record in records)
    complete = [record for record in records if record.state is TrialState.COMPLETE]
    for record in complete:
        assert record.value == record.metrics["val_balanced_accuracy"]
        assert {"val_ece", "val_worst_class_gap", "val_agreement", "val_hellinger", "val_kl_to_teacher"} <= set(
            record.metrics
        )
    confirmed = {"test_worst_class_gap", "test_class_accuracy/9", "test_noise_accuracy_0.3", "membership_auc"}
    for record in complete:
        assert confirmed & set(record.metrics) == (confirmed if record.kind is Kind.CONFIRM else set())
        assert all(math.isfinite(value) for value in record.metrics.values())
    assert workplace.status()["mlflow"]["runs"] == len(records)
