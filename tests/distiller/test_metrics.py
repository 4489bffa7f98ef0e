"""Scoring a student; each metric's own numbers are in tests/metrics."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import get_args

import pytest
import torch

from kdsearch.config.schema import SearchConfig
from kdsearch.distiller import CLASSIFICATION
from kdsearch.distiller import EvaluationSet
from kdsearch.distiller import evaluate
from kdsearch.distiller import predict
from tests.distiller.samples import DROPOUT
from tests.distiller.samples import distiller
from tests.distiller.samples import evaluation_set

SEARCH_METRICS = get_args(SearchConfig.model_fields["metric"].annotation)


@pytest.mark.parametrize("metric", SEARCH_METRICS)
def test_a_pruner_can_go_by_every_search_metric(metric: str) -> None:
    assert metric.removeprefix("val_") in evaluate(distiller().model, evaluation_set(), final=False)


def test_by_hand() -> None:
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [2.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    targets = torch.tensor([0, 1, 1, 0])
    right, wrong = (torch.tensor([2.0, 0.0, 0.0]).log_softmax(0)[index].item() for index in (0, 1))
    assert CLASSIFICATION.metrics(logits, targets) == {
        "accuracy": 0.75,
        "balanced_accuracy": (1 + 0.5) / 2,  # class 2 has no sample and does not count
        "nll": pytest.approx(-(3 * right + wrong) / 4),
    }
    confidence = math.exp(right)  # of every prediction: one bin
    others = (1 - confidence) / 2
    brier_right, brier_wrong = (1 - confidence) ** 2 + 2 * others**2, confidence**2 + (1 - others) ** 2 + others**2
    assert CLASSIFICATION.final_metrics(logits, targets) == {
        "brier": pytest.approx((3 * brier_right + brier_wrong) / 4, abs=1e-6),
        "ece": pytest.approx(abs(0.75 - confidence), abs=1e-6),
        "worst_class_gap": 0.25,
    }


@pytest.mark.parametrize("targets", [torch.zeros(6, dtype=torch.int64), torch.tensor([0, 1, 0, 1, 0, 1])])
def test_half_outputs_score_as_what_they_are_in_full(targets: torch.Tensor) -> None:
    logits, teacher = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0)).bfloat16()
    half = CLASSIFICATION.metrics(logits, targets) | CLASSIFICATION.final_metrics(logits, targets, teacher)
    logits, teacher = logits.float(), teacher.float()
    full = CLASSIFICATION.metrics(logits, targets) | CLASSIFICATION.final_metrics(logits, targets, teacher)
    assert half == full
    assert all(math.isfinite(value) for value in full.values())


def test_neither_the_command_line_nor_a_trial_imports_what_takes_seconds() -> None:
    program = (
        "import sys, torch, kdsearch.cli, kdsearch.search.worker\n"
        "from kdsearch.data.digits import load\n"
        "from kdsearch.distiller.tasks import CLASSIFICATION\n"
        "from tests.distiller.samples import distiller, evaluation_set\n"
        "student = distiller()\n"
        "student.advance(12)\n"
        "student.evaluate(evaluation_set())\n"
        "logits, targets = torch.eye(3), torch.arange(3)\n"
        "CLASSIFICATION.final_metrics(logits, targets, logits)\n"
        "load()\n"
        "assert not {'torchmetrics', 'torchvision', 'sklearn'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


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


def test_without_a_teacher_nothing_is_compared_with_it() -> None:
    data = evaluation_set()
    alone = evaluate(distiller().model, EvaluationSet(data.inputs, data.targets))
    with_teacher = {"agreement", "hellinger", "kl_to_teacher", "label_loss_variance", "teacher_loss_variance"}
    assert evaluate(distiller().model, data).keys() - alone.keys() == with_teacher
