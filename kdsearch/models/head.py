"""The layer that gives the logits."""

from __future__ import annotations

from torch import nn

from kdsearch.errors import InputError
from kdsearch.errors import Problem


def head_of(model: nn.Module) -> nn.Linear:
    """The linear layer that gives the logits: `model.head` of the built-in networks, else the last one in the module.

    Raises:
        InputError: the network has no linear layer.
    """
    return model.get_submodule(head_name(model))  # type: ignore[return-value]


def head_name(model: nn.Module) -> str:
    """The path of that layer, as in `model.named_modules()`.

    Raises:
        InputError: the network has no linear layer.
    """
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        raise InputError([Problem("model", type(model).__name__, "has no linear layer that could be its head")])
    return "head" if "head" in names else names[-1]


def replace_head(model: nn.Module, class_count: int) -> None:
    """Put a freshly initialised head of `class_count` logits in place of the model's; one that has as many stays.

    Raises:
        InputError: the network has no linear layer.
    """
    head = head_of(model)
    if head.out_features != class_count:
        model.set_submodule(
            head_name(model), nn.Linear(head.in_features, class_count, bias=head.bias is not None), strict=True
        )
