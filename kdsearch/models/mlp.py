"""Multilayer perceptron."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from torch import nn


def mlp(input_shape: tuple[int, ...], class_count: int, hidden: Sequence[int], dropout: float = 0.0) -> nn.Module:
    """Flatten, then linear + ReLU (+ dropout) per hidden width, then a linear layer to the logits."""
    widths = [math.prod(input_shape), *hidden]
    layers: list[nn.Module] = [nn.Flatten()] if len(input_shape) > 1 else []
    for width_in, width_out in itertools.pairwise(widths):
        layers += [nn.Linear(width_in, width_out), nn.ReLU()]
        if dropout > 0:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(widths[-1], class_count))
