"""The same distillation by kdsearch's own loop, and nothing of kdsearch around it."""

from __future__ import annotations

from tests.benchmarks.contenders.training import Recipe
from tests.benchmarks.contenders.workload import Material


def train_own(material: Material, sample_count: int, recipe: Recipe, seed: int) -> float:
    """As `training.train`. The metrics are kdsearch's, which are more."""
    import torch

    from kdsearch.config.schema import ModelConfig
    from kdsearch.config.schema import TrainingConfig
    from kdsearch.distiller import EvaluationSet
    from kdsearch.distiller import TrainingSet
    from kdsearch.distiller import distill
    from kdsearch.recipe import Recipe as OwnRecipe

    torch.set_num_threads(1)
    samples = material.samples[sample_count]
    result = distill(
        ModelConfig.model_validate(material.student),
        OwnRecipe.from_params(recipe),
        TrainingConfig.model_validate(material.training),
        TrainingSet(torch.arange(sample_count), samples.inputs, samples.targets, material.class_count, samples.signals),
        EvaluationSet(material.validation_inputs, material.validation_targets),
        seed=seed,
    )
    return result.metrics["val_accuracy"]
