"""How many threads a training is worth."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from kdsearch.config.schema import ModelConfig


@contextlib.contextmanager
def suited_threads(model: ModelConfig) -> Iterator[None]:
    """One thread for `mlp` and `cnn`, torch's setting for all other networks.

    These two are small and their operations too short to share out. On two busy cores, where threads wait
    for each other, two made the Fashion-MNIST teacher's training eight times slower than one (281 s, 36 s); on quiet
    ones they save a third of a step.
    """
    before = torch.get_num_threads()
    if model.target is None and model.name in ("mlp", "cnn"):
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
