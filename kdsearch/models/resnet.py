"""ResNets for small images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor
from torch import nn
from torch.nn import functional as F

from kdsearch.models.layers import conv1x1
from kdsearch.models.layers import conv3x3
from kdsearch.models.layers import kaiming_init


class ResNet(nn.Module):
    """The CIFAR ResNet of He et al. (arXiv 1512.03385, section 4.2): stem, three stages of basic blocks, mean, head.

    As in the distillation literature (RepDistiller, mdistiller) a change of width goes through a 1x1 convolution with
    BatchNorm, where the paper pads with zeros: 0.3 to 1 % more parameters. The mean is over the whole map, so images of
    any size fit; height and width halve twice.

    Args:
        depth: 6n + 2 for n blocks in a stage.
        widths: channels of the stem and of `stage1`, `stage2`, `stage3`.
    """

    published_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"^layer(\d)\.", r"stage\1."),
        (r"\.downsample\.", ".shortcut."),
        (r"^fc\.", "head."),
    )
    """From the names in RepDistiller's and mdistiller's weights to the ones here."""

    def __init__(self, channels: int, class_count: int, depth: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        blocks = (depth - 2) // 6
        self.conv1 = conv3x3(channels, widths[0])
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.stage1 = _stage(widths[0], widths[1], blocks, stride=1)
        self.stage2 = _stage(widths[1], widths[2], blocks, stride=2)
        self.stage3 = _stage(widths[2], widths[3], blocks, stride=2)
        self.head = nn.Linear(widths[3], class_count)
        kaiming_init(self)

    def forward(self, images: Tensor) -> Tensor:
        """[B, channels, height, width] to logits [B, classes]."""
        x = F.relu(self.bn1(self.conv1(images)))
        x = self.stage3(self.stage2(self.stage1(x)))
        logits: Tensor = self.head(x.mean(dim=(2, 3)))
        return logits


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; ReLU after the sum."""

    def __init__(self, width_in: int, width_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(width_in, width_out, stride)
        self.bn1 = nn.BatchNorm2d(width_out)
        self.conv2 = conv3x3(width_out, width_out)
        self.bn2 = nn.BatchNorm2d(width_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or width_in != width_out:
            self.shortcut = nn.Sequential(conv1x1(width_in, width_out, stride), nn.BatchNorm2d(width_out))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


def _stage(width_in: int, width_out: int, blocks: int, stride: int) -> nn.Sequential:
    first = BasicBlock(width_in, width_out, stride)
    return nn.Sequential(first, *(BasicBlock(width_out, width_out, stride=1) for _ in range(blocks - 1)))
