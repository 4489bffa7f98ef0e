"""The shape of a model's feature, from a model that is left as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor
from torch import nn

from kdsearch.features.tap import FeatureTap


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
