"""Small convolutional network."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn


def cnn(input_shape: tuple[int, ...], class_count: int, channels: Sequence[int], dropout: float = 0.0) -> nn.Module:
    """Stages of 3x3 convolution + ReLU, each halving height and width by its stride, then linear on the flattened map.

    Strides instead of pooling, and no normalisation: on Fashion-MNIST with 600 samples this came within a point of
    3x3 + pooling + GroupNorm (one seed) at half the time of a step on a CPU. Without running statistics it gives the
    same results at any batch size, and in a batch of models.
    """
    width_in, height, width = input_shape
    layers: list[nn.Module] = []
    for width_out in channels:
        layers += [nn.Conv2d(width_in, width_out, kernel_size=3, stride=2, padding=1), nn.ReLU()]
        width_in, height, width = width_out, math.ceil(height / 2), math.ceil(width / 2)
    layers.append(nn.Flatten())
    if dropout > 0:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(width_in * height * width, class_count))
