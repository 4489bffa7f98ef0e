"""The forward pass of K networks of one kind at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch import nn
from torch.func import functional_call

Weights = dict[str, Tensor]
"""A network's parameters by name, each with the K networks' stacked before it: [K, *shape]."""


class StackedModel:
    """Maps [K, B, *input_shape] to [K, B, C], each of the K slices by its own weights.

    Of linear layers and ReLUs it makes batched matrix products itself; any other network goes through
    `torch.func.vmap`, whose dispatch costs a small network as much as its products.
    """

    def __init__(self, template: nn.Module, weights: Weights) -> None:
        """`template` is one of the networks; its own weights are not used."""
        self._template = template
        self._weights = weights
        self._is_simple = _is_simple(template)

    def __call__(self, inputs: Tensor) -> Tensor:
        if self._is_simple:
            return _forward(self._template, "", self._weights, inputs)
        outputs: Tensor = torch.func.vmap(self._one)(self._weights, inputs)
        return outputs

    def _one(self, weights: dict[str, Tensor], inputs: Tensor) -> Tensor:
        outputs: Tensor = functional_call(self._template, weights, (inputs,))
        return outputs


def can_stack(model: nn.Module) -> bool:
    """Whether K such networks can be one: no state besides weights (BatchNorm's), nothing drawn at random (dropout),
    and all of the weights trained, in one type."""
    parameters = list(model.parameters())
    return (
        len({parameter.dtype for parameter in parameters}) == 1
        and all(parameter.requires_grad for parameter in parameters)
        and next(model.buffers(), None) is None
        and not any(_draws(module) for module in model.modules())
    )


def _draws(module: nn.Module) -> bool:
    is_dropout = isinstance(module, nn.modules.dropout._DropoutNd | nn.MultiheadAttention | nn.RNNBase)
    return is_dropout and getattr(module, "p", getattr(module, "dropout", 0.0)) > 0


def _linear(module: nn.Module, prefix: str, weights: Weights, inputs: Tensor) -> Tensor:
    weight, bias = weights[f"{prefix}weight"], weights.get(f"{prefix}bias")
    if bias is None:
        return torch.bmm(inputs, weight.mT)
    return torch.baddbmm(bias.unsqueeze(1), inputs, weight.mT)


def _relu(module: nn.Module, prefix: str, weights: Weights, inputs: Tensor) -> Tensor:
    return inputs.relu()


def _flatten(module: nn.Module, prefix: str, weights: Weights, inputs: Tensor) -> Tensor:
    return inputs.flatten(2)


def _sequential(module: nn.Module, prefix: str, weights: Weights, inputs: Tensor) -> Tensor:
    for name, child in module.named_children():
        inputs = _forward(child, f"{prefix}{name}.", weights, inputs)
    return inputs


_SIMPLE: dict[type[nn.Module], Callable[[nn.Module, str, Weights, Tensor], Tensor]] = {
    nn.Sequential: _sequential,
    nn.Linear: _linear,
    nn.ReLU: _relu,
    nn.Flatten: _flatten,
}


def _is_simple(model: nn.Module) -> bool:
    """Whether it is made of what is known here, and its inputs reach every linear layer as vectors."""
    modules = list(model.modules())
    return all(type(module) in _SIMPLE for module in modules) and all(
        module.start_dim == 1 and module.end_dim == -1 for module in modules if isinstance(module, nn.Flatten)
    )


def _forward(module: nn.Module, prefix: str, weights: Weights, inputs: Tensor) -> Tensor:
    return _SIMPLE[type(module)](module, prefix, weights, inputs)
