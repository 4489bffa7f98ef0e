"""Small sets and settings for tests of the distiller."""

from __future__ import annotations

from typing import Any

import torch

from kdsearch.config.schema import ModelConfig
from kdsearch.config.schema import TrainingConfig
from kdsearch.distiller import Distiller
from kdsearch.distiller import EvaluationSet
from kdsearch.distiller import TrainingSet
from kdsearch.distiller import new_distiller
from kdsearch.recipe import Recipe

CPU = torch.device("cpu")
LABELS = Recipe("labels", 0.0)
KL = Recipe("kl", 1.0, {"temperature": 4.0})
MIXED = Recipe("kl", 0.7, {"temperature": 2.0}, label_smoothing=0.1)
MSE = Recipe("mse", 1.0)
MLP = ModelConfig(name="mlp", hidden=(8,))
DROPOUT = ModelConfig(name="mlp", hidden=(8,), dropout=0.5)
CNN = ModelConfig(name="cnn", channels=(4,))


def training_set(n: int = 20, class_count: int = 3, seed: int = 0) -> TrainingSet:
    """Three overlapping clusters, and a teacher that points at the right one."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(n) % class_count
    inputs = torch.randn(n, 1, 4, 4, generator=generator) + targets.view(-1, 1, 1, 1)
    signals = torch.randn(n, class_count, generator=generator) + 4 * torch.eye(class_count)[targets]
    return TrainingSet(torch.arange(100, 100 + n), inputs, targets, class_count, signals)


def evaluation_set(n: int = 30, seed: int = 1) -> EvaluationSet:
    data = training_set(n, seed=seed)
    return EvaluationSet(data.inputs, data.targets, data.signals)


def training(**changes: Any) -> TrainingConfig:
    values: dict[str, Any] = {"steps": 24, "batch_size": 8, "learning_rate": 0.1, "evaluations": 4}
    return TrainingConfig.model_validate(values | changes)


def distiller(
    recipe: Recipe = KL,
    model: ModelConfig = MLP,
    data: TrainingSet | None = None,
    seed: int = 0,
    **changes: Any,
) -> Distiller:
    return new_distiller(model, recipe, training(**changes), data or training_set(), seed=seed, device=CPU)


def weights(trained: Distiller) -> torch.Tensor:
    return torch.cat([tensor.flatten() for tensor in trained.model.state_dict().values()])
