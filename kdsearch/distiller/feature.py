"""The feature term of a student's loss: a tap on one of its layers, and what is compared there."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch import nn

from kdsearch.features.capture import feature_shape
from kdsearch.features.defaults import default_layer
from kdsearch.features.tap import FeatureTap
from kdsearch.features.term import FeatureTerm
from kdsearch.recipe import FeatureRecipe
from kdsearch.seeds import derive_seed

LAYER_KEY = "features.student_layer"


class FeatureMatch:
    """weight * a feature objective's mean over a batch, between a layer of `model` and the teacher's features."""

    def __init__(
        self,
        recipe: FeatureRecipe,
        model: nn.Module,
        layer: str | None,
        sample: Tensor,
        teacher_shape: tuple[int, ...],
        seed: int,
    ) -> None:
        """
        Args:
            layer: of `model`; None takes the objective's default.
            sample: a few inputs, on the device of `model`.
            teacher_shape: of one sample's feature of the teacher.
            seed: of the regressor's first weights, where there is one.

        Raises:
            InputError: no such layer, or features that the objective cannot compare.
        """
        path = layer or default_layer(recipe.objective, model, sample, key=LAYER_KEY)
        student_shape = feature_shape(model, path, sample, key=LAYER_KEY)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "feature"))
            term = FeatureTerm(recipe.objective, student_shape, teacher_shape, recipe.hyperparameters)
        self.term = term.to(sample.device)
        self._weight = recipe.weight
        self._tap = FeatureTap(model, path, key=LAYER_KEY)

    def loss(self, teacher_features: Tensor) -> Tensor:
        """Of the batch that went through the model last."""
        return self._weight * self.term(self._tap.take(), teacher_features).mean()

    def state_dict(self) -> dict[str, Any]:
        return {name: tensor.clone() for name, tensor in self.term.state_dict().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.term.load_state_dict(state)

    def close(self) -> None:
        """Take the hook off the model."""
        self._tap.close()
