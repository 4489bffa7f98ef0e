"""Small convolutional network."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import nn


def cnn(input_shape: tuple[int, ...], class_count: int, channels: Sequence[int], dropout: float = 0.0) -> nn.Module:
    """Stages of 3x3 convolution + ReLU, each halving height and width by its stride, then linear on the flattened map.

    Strides instead of pooling, and no normalisation: on Fashion-MNIST with 600 samples this came within a point of
    3x3 + pooling + GroupNorm (one seed) at half the time of a step on a CPU. Without running statistics it gives the
    same results at any batch size, and in a batch of models. Its parts are `stage1`, … and `head`.
    """
    width_in, height, width = input_shape
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for index, width_out in enumerate(channels, start=1):
        convolution = nn.Conv2d(width_in, width_out, kernel_size=3, stride=2, padding=1)
        parts[f"stage{index}"] = nn.Sequential(convolution, nn.ReLU())
        width_in, height, width = width_out, math.ceil(height / 2), math.ceil(width / 2)
    parts["flatten"] = nn.Flatten()
    if dropout > 0:
        parts["dropout"] = nn.Dropout(dropout)
    parts["head"] = nn.Linear(width_in * height * width, class_count)
    return nn.Sequential(parts)
