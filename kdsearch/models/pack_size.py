"""How many students of a kind are worth training as one batched model: recorded numbers, from a measurement.

On one thread of a CPU, 500 steps of 32 samples (`python -m tests.benchmarks.packs`): the network mlp 32-32 on 64
inputs (7 kFLOPs a sample) is trained 4.7 times as fast in a pack of 16 as one at a time, mlp 128-128 (52 kFLOPs) 2.3
times, and mlp 256-256 (169 kFLOPs) 1.3 times in a pack of 8; mlp 512-512 (600 kFLOPs) becomes slower. The larger the
network, the more its products alone fill a core. Of larger convolutions the gain depends on how busy the machine is
(cnn 16-16-16, 361 kFLOPs, in a pack of 8: 1.2 to 1.6 times), so none is recorded beyond what holds for an MLP.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdsearch.config.schema import ModelConfig

SIZES = ((60_000, 16), (200_000, 8))
"""FLOPs of one sample's forward pass up to which a pack has so many; larger networks are trained one at a time."""


def pack_size(config: ModelConfig, input_shape: tuple[int, ...], class_count: int) -> int:
    """How many of these networks are trained together unless the user says otherwise."""
    flops = known_flops(config, input_shape, class_count)
    if flops is None or config.dropout > 0:
        return 1
    return next((size for most, size in SIZES if flops <= most), 1)


def known_flops(config: ModelConfig, input_shape: tuple[int, ...], class_count: int) -> int | None:
    """FLOPs of one sample's forward pass, as `model_cost` counts them; None of a network whose packs nobody measured.

    Free of torch, for the driver.
    """
    if config.target is not None:
        return None
    if config.name == "mlp":
        return _mlp_flops(config.hidden or (), input_shape, class_count)
    if config.name == "cnn" and len(input_shape) == 3:
        return _cnn_flops(config.channels or (), input_shape, class_count)
    return None


def _mlp_flops(hidden: tuple[int, ...], input_shape: tuple[int, ...], class_count: int) -> int:
    widths = (math.prod(input_shape), *hidden, class_count)
    return sum(2 * width_in * width_out for width_in, width_out in pairwise(widths))


def _cnn_flops(channels: tuple[int, ...], input_shape: tuple[int, ...], class_count: int) -> int:
    """Of 3x3 convolutions of stride 2 and the linear layer behind them."""
    width_in, height, width = input_shape
    flops = 0
    for width_out in channels:
        height, width = math.ceil(height / 2), math.ceil(width / 2)
        flops += 2 * 9 * width_in * width_out * height * width
        width_in = width_out
    return flops + 2 * width_in * height * width * class_count
