"""How many threads a training is worth."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from kdsearch.config.schema import ModelConfig


@contextlib.contextmanager
def suited_threads(model: ModelConfig) -> Iterator[None]:
    """One thread for an MLP, torch's setting for anything else.

    An MLP's operations are too short to share out: on two cores, a second thread gains nothing when the machine is
    quiet, and when it is busy the threads waiting for each other made a teacher's training forty times slower.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if model.target is None and model.name == "mlp" else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
