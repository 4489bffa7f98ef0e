"""Copies of a student on more devices of its process, each of which takes its share of every batch.

Gradients of parts of a batch, weighted by the parts' shares, add up to the batch's own: so the parts may be computed on
one device after the other (micro-batches) or on several at once, with the same result up to rounding. Kernels on
different GPUs overlap, since launching them does not wait. Per step a copy costs one vector of weights to it and one of
gradients from it (`FlatParameters`). What a batch normalisation sees is its own part of the batch, as in DDP.

Ray Train would do the same with a process for each GPU; but inside a Tune trial it asks for actors beside the trial's
own resources, and starts them anew for every trial, where a worker here trains one student after the other.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch import nn

from kdsearch.distiller.feature import FeatureMatch
from kdsearch.distiller.flat import FlatParameters


class Replica:
    """A student's network on one device, with what its feature objective trains beside it."""

    def __init__(self, model: nn.Module, feature: FeatureMatch | None, device: torch.device, *, compile: bool) -> None:
        self.model = model
        self.feature = feature
        self.device = device
        self.parameters = FlatParameters(*([model] if feature is None else [model, feature.term]))
        self.forward = torch.compile(model) if compile else model

    def follow(self, other: Replica) -> None:
        """Take over the weights of `other`, and begin with no gradient."""
        self.model.train(other.model.training)
        self.parameters.zero_gradients()
        for mine, theirs in zip(self.parameters.vectors, other.parameters.vectors, strict=True):
            mine.data.copy_(theirs.data, non_blocking=True)

    def add_gradients_of(self, other: Replica) -> None:
        for mine, theirs in zip(self._gradients(), other._gradients(), strict=True):
            mine.add_(theirs.to(mine.device, non_blocking=True))

    def _gradients(self) -> list[Tensor]:
        return [vector.grad for vector in self.parameters.vectors if vector.grad is not None]
