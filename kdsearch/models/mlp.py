"""Multilayer perceptron."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import nn


def mlp(input_shape: tuple[int, ...], class_count: int, hidden: Sequence[int], dropout: float = 0.0) -> nn.Module:
    """Flatten, then linear + ReLU (+ dropout) per hidden width (`stage1`, …), then a linear `head` to the logits."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    if len(input_shape) > 1:
        parts["flatten"] = nn.Flatten()
    width_in = math.prod(input_shape)
    for index, width in enumerate(hidden, start=1):
        layers: list[nn.Module] = [nn.Linear(width_in, width), nn.ReLU()]
        if dropout > 0:
            layers.append(nn.Dropout(dropout))
        parts[f"stage{index}"] = nn.Sequential(*layers)
        width_in = width
    parts["head"] = nn.Linear(width_in, class_count)
    return nn.Sequential(parts)
