"""The batches of a training: which samples at which step, and what the teacher says about each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kdsearch.distiller.sets import TrainingSet
from kdsearch.seeds import derive_seed

GATHER_BYTES = 2**26
"""Inputs of so many batches are gathered at once; small networks would wait for single gathers otherwise."""


@dataclass(slots=True)
class Batch:
    """B samples: inputs [B, …] and class indices [B]; where they are there, the teacher's logits [B, C], the weight of
    each sample's soft loss [B], the teacher's features [B, …] and an order of the classes [B, C] (see TrainingSet)."""

    inputs: Tensor
    targets: Tensor
    signals: Tensor | None = None
    weights: Tensor | None = None
    features: Tensor | None = None
    permutations: Tensor | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def split(self, size: int) -> list[Batch]:
        """The batch in parts of at most `size` samples."""
        parts = math.ceil(len(self) / size)
        optional = [_split(tensor, size, parts) for tensor in self._optional()]
        columns = zip(self.inputs.split(size), self.targets.split(size), *optional, strict=True)
        return [Batch(*column) for column in columns]

    def to(self, device: torch.device) -> Batch:
        inputs, targets = (t.to(device, non_blocking=True) for t in (self.inputs, self.targets))
        return Batch(inputs, targets, *(_to(tensor, device) for tensor in self._optional()))

    def _optional(self) -> tuple[Tensor | None, ...]:
        return (self.signals, self.weights, self.features, self.permutations)


class Batches:
    """The batches of every step; the order of samples, and the view of each, depend on (seed, epoch) alone."""

    def __init__(
        self, data: TrainingSet, weights: Tensor | None, batch_size: int, seed: int, device: torch.device
    ) -> None:
        self.data = data
        self.weights = None if weights is None else weights.to(data.inputs.device)
        self.size = min(batch_size, len(data))
        self._seed = seed
        self._home = data.inputs.device
        self._device = device
        self.per_epoch = math.ceil(len(data) / self.size)
        sample_bytes = data.inputs[:1].nbytes // (data.views or 1)
        self._at_once = max(1, GATHER_BYTES // max(1, sample_bytes * self.size))

    def between(self, step: int, until_step: int) -> Iterator[Batch]:
        """The batches of the steps from `step` to `until_step`; the last of an epoch may be short."""
        while step < until_step:
            epoch, offset = divmod(step, self.per_epoch)
            order, views = self.plan(epoch)
            count = min(until_step - step, self.per_epoch - offset, self._at_once)
            part = slice(offset * self.size, (offset + count) * self.size)
            batches = self._gather(order[part], None if views is None else views[part]).split(self.size)
            yield from batches if self._home == self._device else (batch.to(self._device) for batch in batches)
            step += count

    def plan(self, epoch: int) -> tuple[Tensor, Tensor | None]:
        """The order of samples, and which view of each is seen."""
        generator = torch.Generator().manual_seed(derive_seed(self._seed, "epoch", epoch))
        order = torch.randperm(len(self.data), generator=generator).to(self._home)
        if self.data.views is None:
            return order, None
        return order, torch.randint(self.data.views, (len(order),), generator=generator).to(self._home)

    def _gather(self, chosen: Tensor, views: Tensor | None) -> Batch:
        where = chosen if views is None else (chosen, views)
        data = self.data
        return Batch(
            inputs=data.inputs[where],
            targets=data.targets[chosen],
            signals=None if data.signals is None else data.signals[where],
            weights=None if self.weights is None else self.weights[where],
            features=None if data.features is None else data.features[where],
            permutations=None if data.permutations is None else data.permutations[chosen],
        )


def _split(tensor: Tensor | None, size: int, parts: int) -> Sequence[Tensor | None]:
    return [None] * parts if tensor is None else tensor.split(size)


def _to(tensor: Tensor | None, device: torch.device) -> Tensor | None:
    return None if tensor is None else tensor.to(device, non_blocking=True)
