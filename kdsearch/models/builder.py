"""From a model's config to its module."""

from __future__ import annotations

from torch import nn

from kdsearch.config.schema import ModelConfig
from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.imports import import_target
from kdsearch.models.cnn import cnn
from kdsearch.models.mlp import mlp


def construct(config: ModelConfig, input_shape: tuple[int, ...], class_count: int) -> nn.Module:
    """The module that `config` names, initialised from torch's global random state."""
    if config.target is not None:
        return _user_model(config, input_shape, class_count)
    if config.name == "mlp":
        return mlp(input_shape, class_count, config.hidden or (), config.dropout)
    if config.name == "cnn":
        if len(input_shape) != 3:
            allowed = f"needs images [channels, height, width]; the data set's inputs are {list(input_shape)}"
            raise InputError([Problem("model", "cnn", allowed)])
        return cnn(input_shape, class_count, config.channels or (), config.dropout)
    raise InputError([Problem("model", config.name, "must be one of mlp, cnn, or have a `_target_`")])


def _user_model(config: ModelConfig, input_shape: tuple[int, ...], class_count: int) -> nn.Module:
    target = str(config.target)
    build = import_target("_target_", target)
    model = build(input_shape=input_shape, class_count=class_count, **config.arguments)
    if not isinstance(model, nn.Module):
        raise InputError([Problem("_target_", target, f"must return a torch.nn.Module, not {type(model).__name__}")])
    return model
