"""Wide ResNets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor
from torch import nn
from torch.nn import functional as F

from kdsearch.models.layers import conv1x1
from kdsearch.models.layers import conv3x3
from kdsearch.models.layers import kaiming_init


class WideResNet(nn.Module):
    """WRN-depth-width of Zagoruyko and Komodakis (arXiv 1605.07146): pre-activation blocks, widths 16k, 32k, 64k.

    The mean is over the whole map, so images of any size fit; height and width halve twice. A stage's output is before
    BatchNorm and ReLU, which open the block that follows.

    Args:
        depth: 6n + 4 for n blocks in a stage.
        width: the paper's widening factor k.
        dropout: between a block's convolutions, as in the paper.
    """

    published_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"^block(\d)\.layer\.", r"stage\1."),
        (r"\.convShortcut\.", ".shortcut."),
        (r"^bn1\.", "bn."),
        (r"^fc\.", "head."),
    )
    """From the names in RepDistiller's and mdistiller's weights to the ones here."""

    def __init__(self, channels: int, class_count: int, depth: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        blocks = (depth - 4) // 6
        self.conv1 = conv3x3(channels, 16)
        self.stage1 = _stage(16, 16 * width, blocks, 1, dropout)
        self.stage2 = _stage(16 * width, 32 * width, blocks, 2, dropout)
        self.stage3 = _stage(32 * width, 64 * width, blocks, 2, dropout)
        self.bn = nn.BatchNorm2d(64 * width)
        self.head = nn.Linear(64 * width, class_count)
        kaiming_init(self)
        nn.init.zeros_(self.head.bias)

    def forward(self, images: Tensor) -> Tensor:
        """[B, channels, height, width] to logits [B, classes]."""
        x = self.stage3(self.stage2(self.stage1(self.conv1(images))))
        logits: Tensor = self.head(F.relu(self.bn(x)).mean(dim=(2, 3)))
        return logits


class WideBlock(nn.Module):
    """BatchNorm, ReLU, 3x3 convolution, twice, beside a shortcut; one that changes the width starts after the ReLU."""

    def __init__(self, width_in: int, width_out: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(width_in)
        self.conv1 = conv3x3(width_in, width_out, stride)
        self.bn2 = nn.BatchNorm2d(width_out)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = conv3x3(width_out, width_out)
        self.shortcut = None if width_in == width_out else conv1x1(width_in, width_out, stride)

    def forward(self, x: Tensor) -> Tensor:
        active = F.relu(self.bn1(x))
        out = self.dropout(F.relu(self.bn2(self.conv1(active))))
        beside: Tensor = x if self.shortcut is None else self.shortcut(active)
        summed: Tensor = self.conv2(out) + beside
        return summed


def _stage(width_in: int, width_out: int, blocks: int, stride: int, dropout: float) -> nn.Sequential:
    first = WideBlock(width_in, width_out, stride, dropout)
    return nn.Sequential(first, *(WideBlock(width_out, width_out, 1, dropout) for _ in range(blocks - 1)))
