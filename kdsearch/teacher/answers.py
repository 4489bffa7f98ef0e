"""Asking a network about many samples, a chunk at a time."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

    Chunk = Callable[[], NDArray[np.generic]]
    """Gives the inputs [n, …] of some samples: images on disk are decoded when they are asked for."""
    Ask = Callable[[nn.Module, Sequence[Chunk], torch.device], list[NDArray[np.float32]]]
    """The network's outputs [n, C] for each chunk, in their order."""


def ask_here(model: nn.Module, chunks: Sequence[Chunk], device: torch.device) -> list[NDArray[np.float32]]:
    """In this process; `model` is on `device`, in eval mode."""
    return [ask(model, chunk(), device) for chunk in chunks]


def ask(model: nn.Module, inputs: NDArray[np.generic], device: torch.device) -> NDArray[np.float32]:
    import torch

    from kdsearch.distiller import predict

    logits: NDArray[np.float32] = predict(model, torch.from_numpy(inputs).to(device)).float().cpu().numpy()
    return logits
