"""Networks of torchvision and timm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch import nn

from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.models.head import replace_head

AUXILIARY = ("googlenet", "inception_v3")
"""torchvision's networks with extra heads for training, which are left out: a network here gives one tensor."""


def torchvision_model(
    name: str, channels: int, class_count: int, pretrained: bool, arguments: Mapping[str, Any]
) -> nn.Module:
    """`torchvision.models.get_model(name)`; grey images are repeated to three channels on the way in.

    With `pretrained` it has torchvision's default weights, and a new head unless they are for as many classes.

    Raises:
        InputError: arguments that the network refuses, or weights that cannot be had.
    """
    from torchvision.models import get_model

    options: dict[str, Any] = {"weights": "DEFAULT"} if pretrained else {"weights": None, "num_classes": class_count}
    if name in AUXILIARY:
        options |= {"aux_logits": False} if pretrained else {"aux_logits": False, "init_weights": True}
    try:
        model: nn.Module = get_model(name, **options, **arguments)
    except Exception as error:  # another library's code, with the user's arguments, and perhaps a download
        raise _refused(f"torchvision/{name}", pretrained, arguments, error) from error
    if pretrained:
        replace_head(model, class_count)
    if channels == 1:
        model.register_forward_pre_hook(_to_three_channels)
    return model


def timm_model(name: str, channels: int, class_count: int, pretrained: bool, arguments: Mapping[str, Any]) -> nn.Module:
    """`timm.create_model(name)`, which fits the first layer to the channels and gives a new head.

    Raises:
        InputError: arguments that the network refuses, or weights that cannot be had.
    """
    import timm

    try:
        model: nn.Module = timm.create_model(
            name, pretrained=pretrained, num_classes=class_count, in_chans=channels, **arguments
        )
    except Exception as error:  # another library's code, with the user's arguments, and perhaps a download
        raise _refused(f"timm/{name}", pretrained, arguments, error) from error
    return model


def published_class_count(name: str) -> int | None:
    """How many classes the published weights of `torchvision/…` or `timm/…` tell apart; None where there are none."""
    library, _, inner = name.partition("/")
    if library == "timm":
        import timm

        published = timm.get_pretrained_cfg(inner)
        return None if published is None else int(published.num_classes)
    from torchvision.models import get_model_weights

    return len(next(iter(get_model_weights(inner))).meta["categories"])


def _to_three_channels(module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    return (inputs[0].expand(-1, 3, -1, -1),)


def _refused(name: str, pretrained: bool, arguments: Mapping[str, Any], error: Exception) -> InputError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    if pretrained and not isinstance(error, TypeError):
        allowed = f"{name}'s weights are neither in the library's cache nor can they be downloaded ({reason})"
        return InputError([Problem("model.pretrained", True, allowed)])
    if arguments:
        return InputError([Problem("model.arguments", dict(arguments), f"{name} refuses them ({reason})")])
    return InputError([Problem("model", name, f"cannot be built ({reason})")])
