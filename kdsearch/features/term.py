"""A feature objective with its hyperparameters, and the regressor where it has one."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch import nn

from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.features.fitnet import regressor
from kdsearch.features.spec import FeatureSpec
from kdsearch.features.spec import feature_spec
from kdsearch.objectives.binding import hyperparameter_problems
from kdsearch.objectives.binding import loss_function


class FeatureTerm(nn.Module):
    """The loss per sample between a feature of the student and one of the teacher, not yet times `feature_weight`.

    Its parameters, if it has any, are trained together with the student's and belong to its checkpoint. They are
    initialised from torch's global random state: seed it before.
    """

    def __init__(
        self,
        name: str,
        student_shape: tuple[int, ...],
        teacher_shape: tuple[int, ...],
        hyperparameters: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Args:
            name: a feature objective, a key of `FEATURE_SPECS`.
            student_shape: of one sample's feature, as `feature_shape` tells it.
            teacher_shape: likewise.
            hyperparameters: those of the objective's spec; the others take their defaults.

        Raises:
            InputError: unknown objective or hyperparameter, a value that is not allowed, or features that the objective
                cannot compare.
        """
        super().__init__()
        spec = feature_spec(name)
        hyperparameters = hyperparameters or {}
        problems = hyperparameter_problems(name, spec.parameters, hyperparameters)
        problems += _shape_problems(spec, student_shape, teacher_shape)
        if problems:
            raise InputError(problems)
        self.regressor = regressor(student_shape, teacher_shape) if spec.is_trainable else None
        self._loss = functools.partial(loss_function(spec.loss), **{**spec.defaults(), **hyperparameters})

    def forward(self, student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
        """[B, *student_shape] and [B, *teacher_shape] → [B]; no gradient reaches the teacher's."""
        # Autocast would compute the Gram matrices in half precision.
        with torch.autocast(student_feature.device.type, enabled=False):
            if self.regressor is not None:
                student_feature = self.regressor(student_feature.to(next(self.regressor.parameters()).dtype))
            loss: Tensor = self._loss(student_feature, teacher_feature.detach())
        return loss


def _shape_problems(spec: FeatureSpec, *shapes: tuple[int, ...]) -> list[Problem]:
    if not spec.needs_maps:
        return []
    return [
        Problem("feature_objective", spec.name, f"needs feature maps [C,H,W], not {list(shape)}")
        for shape in dict.fromkeys(shapes)
        if len(shape) != 3
    ]
