"""Students of users whose code misbehaves. Batches tell the sample counts apart: 20 samples make batches of 20."""

from __future__ import annotations

import math
import os
import signal

from torch import Tensor
from torch import nn


class _Student(nn.Module):
    def __init__(self, input_shape: tuple[int, ...], class_count: int) -> None:
        super().__init__()
        self.layer = nn.Linear(math.prod(input_shape), class_count)

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training and len(inputs) == 20:
            self.misbehave()
        outputs: Tensor = self.layer(inputs.flatten(1))
        return outputs

    def misbehave(self) -> None:
        raise NotImplementedError


class Killer(_Student):
    def misbehave(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Raiser(_Student):
    def misbehave(self) -> None:
        raise RuntimeError("this student does not like twenty samples")


def linear(input_shape: tuple[int, ...], class_count: int) -> nn.Module:
    """One that behaves."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), class_count))
