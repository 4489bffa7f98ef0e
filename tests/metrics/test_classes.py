"""Class by class, against torchmetrics and by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torchmetrics.functional.classification import multiclass_recall

from kdsearch.metrics import balanced_accuracy
from kdsearch.metrics import class_accuracies
from kdsearch.metrics import worst_class_gap

# Class 3 has no sample, though it is predicted once.
PREDICTED = torch.tensor([0, 0, 0, 1, 1, 2, 3, 2])
TARGETS = torch.tensor([0, 0, 0, 0, 1, 2, 2, 1])
OUTPUTS = torch.nn.functional.one_hot(PREDICTED, 4).float()


def test_by_hand() -> None:
    accuracies = class_accuracies(OUTPUTS, TARGETS).tolist()
    assert accuracies[:3] == [0.75, 0.5, 0.5] and math.isnan(accuracies[3])
    assert balanced_accuracy(OUTPUTS, TARGETS) == pytest.approx(1.75 / 3)
    assert worst_class_gap(OUTPUTS, TARGETS) == pytest.approx(1.75 / 3 - 0.5)


def test_against_torchmetrics() -> None:
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(0, 5, (400,), generator=generator)
    logits = torch.randn(400, 5, generator=generator) + torch.eye(5)[targets]
    theirs = multiclass_recall(logits, targets, 5, average="none").double()
    assert torch.allclose(class_accuracies(logits, targets), theirs)
    assert balanced_accuracy(logits, targets) == pytest.approx(theirs.mean().item(), abs=1e-6)
    assert worst_class_gap(logits, targets) == pytest.approx((theirs.mean() - theirs.min()).item(), abs=1e-6)


@pytest.mark.parametrize("predicted", [0, 1])
def test_one_class_is_its_own_mean(predicted: int) -> None:
    outputs = torch.eye(2)[[predicted] * 3]
    targets = torch.zeros(3, dtype=torch.int64)
    assert balanced_accuracy(outputs, targets) == 1 - predicted
    assert worst_class_gap(outputs, targets) == 0
