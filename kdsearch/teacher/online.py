"""A teacher in the loop: asked about every batch as the student sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch import nn

CHUNK = 2048
"""Samples per forward pass where many are asked about; bounds memory, not results."""


class OnlineTeacher:
    """Frozen networks that answer for batches. It is no module, so that no student's state can come to hold it."""

    def __init__(self, networks: Sequence[nn.Module], device: torch.device) -> None:
        self._networks = [network.to(device).eval().requires_grad_(False) for network in networks]
        self._device = device

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        return tuple(self._networks)

    def signals(self, inputs: Tensor) -> Tensor:
        """The logits for inputs [B, …]: [B, C] of a single network, [B, M, C] of an ensemble."""
        import torch

        with torch.no_grad():
            logits = [network(inputs).float() for network in self._networks]
        return logits[0] if len(logits) == 1 else torch.stack(logits, dim=1)

    def all_signals(self, inputs: Tensor) -> Tensor:
        """As `signals`, for inputs [N, …] on the CPU that may be many; the answers are on the CPU too."""
        import torch

        return torch.cat([self.signals(chunk.to(self._device)).cpu() for chunk in inputs.split(CHUNK)])
