"""Models: the networks that learn and that teach.

`build_model` makes them; `kdsearch.models.names` knows what they are called, `cost` what one costs, `weights` reads
theirs from a file. What gives the logits is `head`, what comes before it `stage1`, `stage2`, … (the networks of
torchvision and timm keep their own names).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdsearch.models.names import MODELS

if TYPE_CHECKING:
    from torch import nn

    from kdsearch.config.schema import ModelConfig
    from kdsearch.models.cost import ModelCost

__all__ = ["MODELS", "build_model", "head_of", "model_cost", "parameter_count"]


def build_model(
    config: ModelConfig,
    input_shape: tuple[int, ...],
    class_count: int,
    seed: int,
    *,
    vocabulary_size: int | None = None,
) -> nn.Module:
    """A freshly initialised network on the CPU that maps [B, *input_shape] to logits [B, class_count].

    Its initial weights depend on `seed` alone (with `pretrained`, those of its head); torch's global random state is
    left as it was. With a `vocabulary_size` the inputs are int64 token ids below it.

    Raises:
        InputError: unknown name, inputs that the network can't take, a `_target_` that cannot be imported or does not
            return a module, pretrained weights that cannot be had.
    """
    import torch

    from kdsearch.models.builder import construct

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return construct(config, input_shape, class_count, vocabulary_size)


def parameter_count(model: nn.Module) -> int:
    """How many numbers the model's parameters hold."""
    return sum(parameter.numel() for parameter in model.parameters())


def model_cost(
    config: ModelConfig, input_shape: tuple[int, ...], class_count: int, vocabulary_size: int | None = None
) -> ModelCost:
    """Parameters, and FLOPs of one forward pass of one sample; see `kdsearch.models.cost`."""
    from kdsearch.models.cost import model_cost

    return model_cost(config, input_shape, class_count, vocabulary_size)


def head_of(model: nn.Module) -> nn.Linear:
    """The linear layer that gives the logits; see `kdsearch.models.head`."""
    from kdsearch.models.head import head_of

    return head_of(model)
