"""What is measured of confirmed students alone: it takes the test split, which the search may not see."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torch import nn

from kdsearch.distiller.evaluation import CHUNK
from kdsearch.distiller.evaluation import predict
from kdsearch.distiller.sets import UNLABELLED
from kdsearch.distiller.sets import EvaluationSet
from kdsearch.distiller.sets import TrainingSet
from kdsearch.metrics import class_accuracies
from kdsearch.metrics import membership_auc
from kdsearch.seeds import derive_seed

NOISE_LEVELS = (0.1, 0.3, 1.0)
"""Standard deviations of the noise, in units of the inputs' own."""

MAX_LISTED_CLASSES = 20
"""With more classes their accuracies are not listed: each is a metric of its own in MLflow."""


def confirmation_metrics(
    model: nn.Module, training_set: TrainingSet, test_set: EvaluationSet, *, seed: int
) -> dict[str, float]:
    """Fairness, robustness and privacy, as A Comprehensive Study on Dataset Distillation (arXiv 2305.03355) asks for.

    Args:
        training_set: what `model` was trained on.
        seed: of the noise; students that are compared are given the same one.

    Returns:
        `test_class_accuracy/<class>` for up to 20 classes, those that have a test sample;
        `test_noise_accuracy_<level>`: accuracy with Gaussian noise on the inputs, of `level` times their standard
        deviation, not clipped (none for inputs that are not floating-point: tokens);
        `membership_auc`: of the attack that tells training samples from test samples by their cross-entropy.
    """
    outputs = predict(model, test_set.inputs)
    members = _member_losses(model, training_set)
    return {
        **_listed_class_accuracies(outputs, test_set.targets),
        **_noise_accuracies(model, test_set, seed),
        "membership_auc": membership_auc(members, _losses(outputs, test_set.targets)),
    }


def _listed_class_accuracies(outputs: Tensor, targets: Tensor) -> dict[str, float]:
    if outputs.shape[-1] > MAX_LISTED_CLASSES:
        return {}
    accuracies = enumerate(class_accuracies(outputs, targets).tolist())
    return {f"test_class_accuracy/{index}": value for index, value in accuracies if not math.isnan(value)}


def _noise_accuracies(model: nn.Module, data: EvaluationSet, seed: int) -> dict[str, float]:
    """One draw of noise for all levels, the same on every device."""
    if not data.inputs.is_floating_point():
        return {}
    generator = torch.Generator().manual_seed(derive_seed(seed, "noise"))
    deviation = data.inputs.std(correction=0)
    hits = dict.fromkeys(NOISE_LEVELS, 0)
    for inputs, targets in zip(data.inputs.split(CHUNK), data.targets.split(CHUNK), strict=True):
        noise = deviation * torch.randn(inputs.shape, generator=generator).to(inputs)
        for level in NOISE_LEVELS:
            predicted = predict(model, inputs + level * noise).argmax(dim=-1)
            hits[level] += int((predicted == targets).sum())
    return {f"test_noise_accuracy_{level:g}": count / len(data) for level, count in hits.items()}


def _member_losses(model: nn.Module, data: TrainingSet) -> Tensor:
    """Of the labelled samples, of a bank in their first view."""
    labelled = data.targets != UNLABELLED
    return _losses(predict(model, data.plain_inputs[labelled]), data.targets[labelled])


def _losses(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(outputs.double(), targets, reduction="none")
