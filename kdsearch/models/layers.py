"""Layers and initialisation that several networks share."""

from __future__ import annotations

from torch import nn


def conv3x3(width_in: int, width_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width_in, width_out, kernel_size=3, stride=stride, padding=1, bias=False)


def conv1x1(width_in: int, width_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width_in, width_out, kernel_size=1, stride=stride, bias=False)


def kaiming_init(model: nn.Module) -> None:
    """Normal weights with variance 2 / (k² · output channels) in the convolutions (He et al., arXiv 1502.01852).

    BatchNorm starts as the identity by torch's default.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
