"""What a layer is called: `layer4.1` is the output of that module, `fc:input` what goes into it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from kdsearch.config.suggest import did_you_mean
from kdsearch.errors import InputError
from kdsearch.errors import Problem

INPUT = "input"
SHOWN = 12
"""How many of a model's paths an error message lists."""


@dataclass(frozen=True)
class Layer:
    """A module of a model, and whether its input or its output is meant."""

    module: nn.Module
    takes_input: bool


def layer_paths(model: nn.Module) -> list[str]:
    """The paths of all modules inside `model`, outer before inner, in the order of their definition."""
    return [path for path, _ in model.named_modules(remove_duplicate=False) if path]


def find_layer(model: nn.Module, path: str, key: str = "layer") -> Layer:
    """The layer at `path`: a module's dotted path as in `named_modules`, with `:input` behind it for its input.

    Raises:
        InputError: naming `key`, when the model has no such module, or something else than `input` follows the colon.
    """
    module_path, colon, side = path.partition(":")
    paths = layer_paths(model)
    if module_path not in paths:
        raise InputError([Problem(key, path, _unknown(model, module_path, paths))])
    if colon and side != INPUT:
        allowed = f"must be `{module_path}` for the module's output or `{module_path}:{INPUT}` for its input"
        raise InputError([Problem(key, path, allowed)])
    return Layer(model.get_submodule(module_path), takes_input=bool(colon))


def _unknown(model: nn.Module, module_path: str, paths: list[str]) -> str:
    more = f", … ({len(paths)} in all)" if len(paths) > SHOWN else ""
    has = f"it has {', '.join(paths[:SHOWN])}{more}" if paths else "it has none"
    return f"must be the path of a module of {type(model).__name__}; {has}{did_you_mean(module_path, paths)}"
