"""Features of a model that is not in training: their shape, and those of a teacher for all samples."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor
from torch import nn

from kdsearch.features.tap import FeatureTap

CHUNK = 1024
"""Samples per forward pass; bounds memory, not results."""


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode, without gradients; afterwards each module has the mode that it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, was_training in modes:
            module.training = was_training


def feature_shape(model: nn.Module, path: str, inputs: Tensor, *, key: str = "layer") -> tuple[int, ...]:
    """The shape of one sample's feature at the layer `path`, from one forward pass of `inputs` [B, ...].

    Raises:
        InputError: naming `key`, when there is no such layer, it does not run, or it gives no tensor.
    """
    with FeatureTap(model, path, key=key) as tap, evaluating(model):
        model(inputs)
        return tuple(tap.take().shape[1:])


def teacher_features(model: nn.Module, path: str, inputs: Tensor, chunk: int = CHUNK, *, key: str = "layer") -> Tensor:
    """The features [n, ...] at the layer `path` of `inputs` [n, ...], in their order and on their device.

    The model runs in eval mode and without gradients; its mode and weights are left as they were.

    Raises:
        InputError: as for `feature_shape`.
    """
    features = []
    with FeatureTap(model, path, key=key) as tap, evaluating(model):
        for part in inputs.split(chunk):
            model(part)
            features.append(tap.take())
    return torch.cat(features)
