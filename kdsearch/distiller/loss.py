"""What a student minimises: labels, the teacher's outputs, and what a layer of the teacher gives."""

from __future__ import annotations

import torch
from torch import Tensor

from kdsearch.distiller.batches import Batch
from kdsearch.distiller.sets import UNLABELLED
from kdsearch.distiller.tasks import Task
from kdsearch.objectives.binding import bind
from kdsearch.objectives.spec import SPECS
from kdsearch.recipe import Recipe


def temperature_of(recipe: Recipe) -> float:
    """At which the probabilities of several teachers are averaged: the objective's own, or 1 where it has none."""
    defaults = SPECS[recipe.objective].defaults() if recipe.objective in SPECS else {}
    return float({**defaults, **recipe.hyperparameters}.get("temperature", 1.0))


class StudentLoss:
    """loss = (1 - alpha) * CE(labels) + alpha * soft(teacher), the mean over the batch.

    Samples without a label have no share in the cross-entropy, which is scaled by n_all / n_labelled so that over an
    epoch it is the mean over the labelled ones. To objectives that ask for the label of an unlabelled sample, the
    teacher's answer stands for it.
    """

    def __init__(self, recipe: Recipe, task: Task, *, label_scale: float = 1.0) -> None:
        """
        Raises:
            InputError: unknown objective, or hyperparameters that are not allowed.
        """
        self.alpha = recipe.alpha
        self.label_smoothing = recipe.label_smoothing
        self._soft = bind(recipe.objective, recipe.hyperparameters) if recipe.alpha > 0 else None
        self._task = task
        self.label_scale = label_scale
        self._all_labelled = label_scale == 1.0

    def __call__(self, outputs: Tensor, batch: Batch, progress: float) -> Tensor:
        """The loss of the student's outputs [B, C] after a share `progress` of training."""
        if self._soft is None:
            return self._hard(outputs, batch.targets)
        soft = self._soft_term(outputs, batch, progress)
        if self.alpha == 1:
            return soft
        return (1 - self.alpha) * self._hard(outputs, batch.targets) + self.alpha * soft

    def _soft_term(self, outputs: Tensor, batch: Batch, progress: float) -> Tensor:
        assert self._soft is not None and batch.signals is not None
        labels = batch.targets
        if not self._all_labelled:
            labels = torch.where(labels == UNLABELLED, batch.signals.argmax(dim=-1), labels)
        losses = self._soft(outputs, batch.signals, labels, progress=progress)
        return losses.mean() if batch.weights is None else (batch.weights * losses).mean()

    def _hard(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self._all_labelled:
            return self._task.target_loss(outputs, targets, self.label_smoothing)
        labelled = targets != UNLABELLED
        if not labelled.any():
            return outputs.sum() * 0.0
        share = self.label_scale * labelled.float().mean()
        return share * self._task.target_loss(outputs[labelled], targets[labelled], self.label_smoothing)
