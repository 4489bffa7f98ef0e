"""Metrics against torchmetrics and by hand."""

from __future__ import annotations

import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error
from torchmetrics.functional.classification import multiclass_recall

from kdsearch.distiller import CLASSIFICATION
from kdsearch.distiller import EvaluationSet
from kdsearch.distiller import evaluate
from kdsearch.distiller import predict
from tests.distiller.samples import DROPOUT
from tests.distiller.samples import distiller
from tests.distiller.samples import evaluation_set


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_against_torchmetrics(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = scale * torch.randn(400, 5, generator=generator)
    targets = torch.randint(0, 5, (400,), generator=generator)
    metrics = CLASSIFICATION.final_metrics(logits, targets)
    recall = multiclass_recall(logits, targets, 5, average="macro")
    error = multiclass_calibration_error(logits.softmax(-1), targets, 5, n_bins=15)
    assert metrics["balanced_accuracy"] == pytest.approx(recall.item(), abs=1e-6)
    assert metrics["ece"] == pytest.approx(error.item(), abs=1e-6)


def test_by_hand() -> None:
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [2.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    targets = torch.tensor([0, 1, 1, 0])
    teacher = torch.tensor([[9.0, 0.0, 0.0], [9.0, 0.0, 0.0], [0.0, 0.0, 9.0], [9.0, 0.0, 0.0]])
    right, wrong = (torch.tensor([2.0, 0.0, 0.0]).log_softmax(0)[index].item() for index in (0, 1))
    assert CLASSIFICATION.metrics(logits, targets) == {
        "accuracy": 0.75,
        "nll": pytest.approx(-(3 * right + wrong) / 4),
    }
    final = CLASSIFICATION.final_metrics(logits, targets, teacher)
    assert final["balanced_accuracy"] == pytest.approx((1 + 0.5) / 2)  # class 2 has no sample and does not count
    assert final["agreement"] == 0.5


def test_evaluating_neither_trains_nor_drops_out() -> None:
    student = distiller(model=DROPOUT)
    data = evaluation_set()
    student.model.train()
    first, second = evaluate(student.model, data), evaluate(student.model, data)
    assert first == second
    assert student.model.training


def test_long_inputs_are_scored_in_chunks() -> None:
    student = distiller()
    inputs = torch.randn(5000, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    student.model.eval()
    assert torch.allclose(predict(student.model, inputs), student.model(inputs), atol=1e-6)


def test_without_a_teacher_there_is_no_agreement() -> None:
    data = evaluation_set()
    assert "agreement" not in evaluate(distiller().model, EvaluationSet(data.inputs, data.targets))
