"""Small convolutional network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


def cnn(input_shape: tuple[int, ...], class_count: int, channels: Sequence[int], dropout: float = 0.0) -> nn.Module:
    """Stages of 3x3 convolution + GroupNorm + ReLU + 2x2 max pooling, then a linear layer on the flattened map.

    GroupNorm, because it keeps no running statistics: it works at any batch size and in a batch of models.
    A stage whose map is a single row or column is not pooled.
    """
    width_in, height, width = input_shape
    layers: list[nn.Module] = []
    for width_out in channels:
        layers += [
            nn.Conv2d(width_in, width_out, kernel_size=3, padding=1, bias=False),
            nn.GroupNorm(_groups(width_out), width_out),
            nn.ReLU(),
        ]
        if min(height, width) >= 2:
            layers.append(nn.MaxPool2d(2))
            height, width = height // 2, width // 2
        width_in = width_out
    layers.append(nn.Flatten())
    if dropout > 0:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(width_in * height * width, class_count))


def _groups(channels: int) -> int:
    """Groups of 8 channels or fewer, dividing `channels` evenly."""
    return next(groups for groups in range(max(1, channels // 8), 0, -1) if channels % groups == 0)
