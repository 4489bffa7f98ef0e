"""The layer that a feature objective takes when none is named."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch import nn

from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.features.capture import evaluating
from kdsearch.features.layers import INPUT
from kdsearch.features.spec import feature_spec
from kdsearch.features.tap import first_tensor


def default_layer(name: str, model: nn.Module, inputs: Tensor, *, key: str = "layer") -> str:
    """The path of the layer of `model` that the feature objective `name` takes by default, from one forward pass.

    Objectives on maps take the last map [B, C, H, W] with more than one position (the attention of a single one is
    always 1), as the outermost module gives it; the others the input of the last linear layer. `last` is in the order
    of the forward pass in eval mode. A network whose maps have their channels last needs its layer named.

    Args:
        name: a key of `FEATURE_SPECS`.
        model: left as it was.
        inputs: a batch [B, ...] of the data.
        key: what an error message calls the layer.

    Raises:
        InputError: no such objective, the network has no such layer, or only its input goes into the only linear layer.
    """
    trace = _Trace(model)
    try:
        with evaluating(model):
            model(inputs)
    finally:
        trace.close()
    path, missing = (trace.map, _NO_MAP) if feature_spec(name).needs_maps else (trace.penultimate, _NO_LINEAR)
    if path is None:
        raise InputError([Problem(key, None, missing.format(name=name, model=type(model).__name__))])
    return path


_NO_MAP = "{name} needs a feature map [C,H,W] with more than one position, and {model} has none; name a layer"
_NO_LINEAR = "{model} has no linear layer behind other layers with weights; name the layer that {name} is to take"


class _Trace:
    """Notes candidates while `model` runs."""

    def __init__(self, model: nn.Module) -> None:
        self.map: str | None = None
        self.penultimate: str | None = None
        self._past_weights = False
        self._handles = []
        for path, module in model.named_modules():
            if path:
                self._handles.append(module.register_forward_hook(self._noting_maps(path)))
            if isinstance(module, nn.Linear) and path:
                self._handles.append(module.register_forward_pre_hook(self._noting_linear(path)))

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()

    def _noting_maps(self, path: str) -> Any:
        def note(module: nn.Module, args: Any, output: Any) -> None:
            tensor = first_tensor(output)
            if tensor is not None and tensor.ndim == 4 and tensor.shape[2:].numel() > 1:
                self.map = path
            self._past_weights |= next(module.parameters(), None) is not None

        return note

    def _noting_linear(self, path: str) -> Any:
        def note(module: nn.Module, args: Any) -> None:
            if self._past_weights:
                self.penultimate = f"{path}:{INPUT}"

        return note
