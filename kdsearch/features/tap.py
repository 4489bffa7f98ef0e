"""Reads an inner layer of a model while it runs, without a change to the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch import nn

from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.features.layers import find_layer


class FeatureTap:
    """Holds what one layer of `model` gave in the latest forward pass, until it is taken or the tap is closed.

    Of a tuple, list or mapping it is the first tensor. A module that runs several times in a pass gives its last run.
    If a later layer overwrites the tensor in place (an in-place ReLU), it is seen overwritten.

    The model's `state_dict` knows nothing of the tap; a copy or pickle of the whole model has a hook that does nothing.
    Close it when done, or use it as a context manager.
    """

    def __init__(self, model: nn.Module, path: str, *, key: str = "layer") -> None:
        """
        Args:
            model: left as it is, apart from the hook.
            path: the layer's, as `find_layer` reads it.
            key: what error messages call it.

        Raises:
            InputError: the model has no such layer.
        """
        layer = find_layer(model, path, key)
        self.path = path
        self._key = key
        self._hook = _Hook()
        if layer.takes_input:
            self._handle = layer.module.register_forward_pre_hook(self._hook.before, with_kwargs=True)
        else:
            self._handle = layer.module.register_forward_hook(self._hook.after)

    def take(self) -> Tensor:
        """The feature [B, ...] of the latest forward pass, with its gradient; the tap lets go of it.

        Raises:
            InputError: the layer did not run since the last `take`, or it gave no tensor.
        """
        if not self._hook.has_run:
            raise InputError([Problem(self._key, self.path, "this layer does not run in the model's forward pass")])
        feature = self._hook.feature
        self._hook.clear()
        if feature is None:
            raise InputError([Problem(self._key, self.path, "this layer's value is not a tensor, nor holds one")])
        return feature

    def close(self) -> None:
        """Remove the hook."""
        self._handle.remove()
        self._hook.clear()

    def __enter__(self) -> FeatureTap:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Hook:
    """What torch calls. A copy or pickle of it holds no feature and keeps none."""

    def __init__(self, is_live: bool = True) -> None:
        self._is_live = is_live
        self.clear()

    def clear(self) -> None:
        self.has_run = False
        self.feature: Tensor | None = None

    def before(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._keep((args, kwargs))

    def after(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        self._keep(output)

    def _keep(self, value: Any) -> None:
        if self._is_live:
            self.has_run, self.feature = True, first_tensor(value)

    def __reduce__(self) -> tuple[type[_Hook], tuple[bool]]:
        return _Hook, (False,)


def first_tensor(value: Any) -> Tensor | None:
    """`value`, or the first tensor inside of nested tuples, lists and mappings."""
    if isinstance(value, Tensor):
        return value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple | list) else ()
    return next((tensor for item in inner if (tensor := first_tensor(item)) is not None), None)
