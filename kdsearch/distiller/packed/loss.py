"""The losses of K students at once, each by its own recipe."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from kdsearch.distiller.distiller import Distiller
from kdsearch.distiller.packed.batches import StackedBatch
from kdsearch.distiller.sets import UNLABELLED
from kdsearch.objectives.binding import BoundLoss
from kdsearch.objectives.binding import bind
from kdsearch.objectives.spec import SPECS
from kdsearch.recipe import Recipe


@dataclass(frozen=True)
class _Group:
    """Students next to each other that have one objective."""

    rows: slice
    soft: BoundLoss


class StackedLoss:
    """As `StudentLoss`, one per student; those who are taught come first, ordered by objective."""

    def __init__(self, distillers: Sequence[Distiller], device: torch.device) -> None:
        losses = [distiller.loss for distiller in distillers]
        self._alphas = torch.tensor([loss.alpha for loss in losses], device=device)
        self._smoothing = torch.tensor([loss.label_smoothing for loss in losses], device=device).unsqueeze(1)
        self._is_smoothed = any(loss.label_smoothing > 0 for loss in losses)
        self._scales = torch.tensor([loss.label_scale for loss in losses], device=device)
        self._all_labelled = all(loss.label_scale == 1 for loss in losses)
        recipes = [distiller.recipe for distiller in distillers if distiller.recipe.alpha > 0]
        self._groups = list(_groups(recipes, device))
        self._taught = len(recipes)

    def __call__(self, outputs: Tensor, batch: StackedBatch, progress: float) -> Tensor:
        """The mean loss of each student's outputs [K, B, C]: [K]."""
        hard = self._hard(outputs, batch.targets)
        if batch.signals is None:
            return hard
        soft = self._soft(outputs[: self._taught], batch, progress)
        if self._taught < len(outputs):
            soft = torch.cat([soft, torch.zeros_like(hard[self._taught :])])
        return torch.lerp(hard, soft, self._alphas)

    def _soft(self, outputs: Tensor, batch: StackedBatch, progress: float) -> Tensor:
        assert batch.signals is not None
        labels = batch.targets[: self._taught]
        if not self._all_labelled:
            labels = torch.where(labels == UNLABELLED, batch.signals.argmax(dim=-1), labels)
        losses = [
            group.soft(outputs[group.rows], batch.signals[group.rows], labels[group.rows], progress=progress)
            for group in self._groups
        ]
        together = losses[0] if len(losses) == 1 else torch.cat(losses)
        return (together if batch.weights is None else batch.weights * together).mean(dim=1)

    def _hard(self, outputs: Tensor, targets: Tensor) -> Tensor:
        log_q = F.log_softmax(outputs, dim=-1)
        losses = -log_q.gather(-1, targets.clamp_min(0).unsqueeze(-1)).squeeze(-1)
        if self._is_smoothed:
            losses = torch.lerp(losses, -log_q.mean(dim=-1), self._smoothing)
        if self._all_labelled:
            return losses.mean(dim=1)
        return self._scales * torch.where(targets == UNLABELLED, 0, losses).mean(dim=1)


def _groups(recipes: Sequence[Recipe], device: torch.device) -> Sequence[_Group]:
    groups, start = [], 0
    for objective, members in itertools.groupby(recipes, key=lambda recipe: recipe.objective):
        same = list(members)
        settings = [{**SPECS[objective].defaults(), **recipe.hyperparameters} for recipe in same]
        tensors = {
            name: torch.tensor([float(own[name]) for own in settings], device=device)
            for name in SPECS[objective].defaults()
        }
        groups.append(_Group(slice(start, start + len(same)), bind(objective, tensors)))
        start += len(same)
    return groups
