"""Scoring a model."""

from __future__ import annotations

import torch
from torch import Tensor
from torch import nn

from kdsearch.distiller.sets import EvaluationSet
from kdsearch.distiller.tasks import CLASSIFICATION
from kdsearch.distiller.tasks import Task

CHUNK = 2048
"""Samples per forward pass outside training; bounds memory, not results."""


def predict(model: nn.Module, inputs: Tensor) -> Tensor:
    """The model's outputs for all inputs, in eval mode and without gradients; its mode is left as it was."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            outputs = [model(chunk) for chunk in inputs.split(CHUNK)]
    finally:
        model.train(was_training)
    return torch.cat(outputs)  # outside inference mode: an ordinary tensor, which a loss may use


def evaluate(
    model: nn.Module, data: EvaluationSet, task: Task = CLASSIFICATION, *, final: bool = True
) -> dict[str, float]:
    """Metrics of `model` on `data` under plain names (`accuracy`, `nll`, …); with `final` also those computed once."""
    return scores_of(predict(model, data.inputs), data, task, final=final)


def scores_of(outputs: Tensor, data: EvaluationSet, task: Task, *, final: bool) -> dict[str, float]:
    """As `evaluate`, from a model's outputs."""
    metrics = task.metrics(outputs, data.targets)
    if final:
        metrics |= task.final_metrics(outputs, data.targets, data.teacher_logits)
    return metrics
