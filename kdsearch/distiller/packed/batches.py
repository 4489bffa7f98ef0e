"""The batches of K students at once: each in its own order, of its own samples and signals."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kdsearch.distiller.batches import GATHER_BYTES
from kdsearch.distiller.batches import Batches


@dataclass(slots=True)
class StackedBatch:
    """Inputs [K, B, …], targets [K, B]; logits [T, B, C] and weights [T, B] of the first T students, who are taught."""

    inputs: Tensor
    targets: Tensor
    signals: Tensor | None
    weights: Tensor | None


class StackedBatches:
    """Of students with the same number of samples and batch size; those who are taught come first."""

    def __init__(self, batches: Sequence[Batches]) -> None:
        self._batches = batches
        self._size = batches[0].size
        self.per_epoch = batches[0].per_epoch
        sets = {id(b.data.inputs): b.data for b in batches}
        places = {key: index for index, key in enumerate(sets)}
        device = batches[0].data.inputs.device
        self._inputs = torch.stack([data.inputs for data in sets.values()])
        self._targets = torch.stack([data.targets for data in sets.values()])
        self._places = torch.tensor([places[id(b.data.inputs)] for b in batches], device=device).unsqueeze(1)
        taught = [b for b in batches if b.data.signals is not None]
        self._rows = torch.arange(len(taught), device=device).unsqueeze(1)
        self._signals = torch.stack([b.data.signals for b in taught if b.data.signals is not None]) if taught else None
        self._weights = _weights(taught)
        sample_bytes = self._inputs[0, :1].nbytes * len(batches)
        self._at_once = max(1, GATHER_BYTES // max(1, sample_bytes * self._size))

    def between(self, step: int, until_step: int) -> Iterator[StackedBatch]:
        """The batches of the steps from `step` to `until_step`."""
        while step < until_step:
            epoch, offset = divmod(step, self.per_epoch)
            order = torch.stack([batches.plan(epoch)[0] for batches in self._batches])
            count = min(until_step - step, self.per_epoch - offset, self._at_once)
            chosen = order[:, offset * self._size : (offset + count) * self._size]
            yield from self._gather(chosen)
            step += count

    def _gather(self, chosen: Tensor) -> Iterator[StackedBatch]:
        inputs = self._inputs[self._places, chosen].split(self._size, dim=1)
        targets = self._targets[self._places, chosen].split(self._size, dim=1)
        taught = chosen[: len(self._rows)]
        signals = None if self._signals is None else self._signals[self._rows, taught].split(self._size, dim=1)
        weights = None if self._weights is None else self._weights[self._rows, taught].split(self._size, dim=1)
        for index in range(len(inputs)):
            yield StackedBatch(
                inputs[index],
                targets[index],
                None if signals is None else signals[index],
                None if weights is None else weights[index],
            )


def _weights(taught: Sequence[Batches]) -> Tensor | None:
    """The weight of each sample's soft loss, [T, n]; None where all are 1."""
    if all(batches.weights is None for batches in taught):
        return None
    ones = torch.ones(len(taught[0].data), device=taught[0].data.inputs.device)
    return torch.stack([ones if batches.weights is None else batches.weights for batches in taught])
