"""Models: the networks that learn and that teach."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from kdsearch.config.schema import ModelConfig

__all__ = ["MODELS", "build_model", "parameter_count"]

MODELS = ("mlp", "cnn")
"""The built-in networks; anything else is a `_target_`."""


def build_model(config: ModelConfig, input_shape: tuple[int, ...], class_count: int, seed: int) -> nn.Module:
    """A freshly initialised network on the CPU that maps [B, *input_shape] to logits [B, class_count].

    Its initial weights depend on `seed` alone; torch's global random state is left as it was.

    Raises:
        InputError: unknown name, or a `_target_` that cannot be imported or does not return a module.
    """
    import torch

    from kdsearch.models.builder import construct

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return construct(config, input_shape, class_count)


def parameter_count(model: nn.Module) -> int:
    """How many numbers the model's parameters hold."""
    return sum(parameter.numel() for parameter in model.parameters())
