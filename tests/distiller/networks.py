"""Networks of users."""

from __future__ import annotations

import torch
from torch import Tensor
from torch import nn


class Normalised(nn.Module):
    """A small convolutional network with BatchNorm."""

    def __init__(self, input_shape: tuple[int, ...], class_count: int, width: int = 5) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(input_shape[0], width, 3, padding=1)
        self.normalisation = nn.BatchNorm2d(width)
        self.head = nn.Linear(width * 4, class_count)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.normalisation(self.convolution(images)).relu()
        outputs: Tensor = self.head(nn.functional.adaptive_avg_pool2d(maps, 2).flatten(1))
        return outputs


class Hungry(nn.Module):
    """Trains on no more than `most` samples at a time; memory runs out above."""

    def __init__(self, input_shape: tuple[int, ...], class_count: int, most: int) -> None:
        super().__init__()
        self.most = most
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, class_count))

    def forward(self, images: Tensor) -> Tensor:
        if self.training and len(images) > self.most:
            raise torch.OutOfMemoryError(f"no memory for {len(images)} samples")
        outputs: Tensor = self.layers(images)
        return outputs


class DoublePrecision(nn.Module):
    """Parameters of two types."""

    def __init__(self, input_shape: tuple[int, ...], class_count: int) -> None:
        super().__init__()
        self.first = nn.Linear(64, 8)
        self.second = nn.Linear(8, class_count).double()

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.second(self.first(images.flatten(1)).relu().double())
        return outputs
