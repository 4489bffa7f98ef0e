"""From a model's config to its module."""

from __future__ import annotations

from torch import nn

from kdsearch.config.schema import ModelConfig
from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.imports import import_target
from kdsearch.models.names import RESNETS
from kdsearch.models.names import family
from kdsearch.models.names import input_problem
from kdsearch.models.names import name_problem
from kdsearch.models.names import wrn_sizes


def construct(
    config: ModelConfig, input_shape: tuple[int, ...], class_count: int, vocabulary_size: int | None
) -> nn.Module:
    """The module that `config` names, initialised from torch's global random state."""
    if config.target is not None:
        return _user_model(config, input_shape, class_count, vocabulary_size)
    problem = name_problem(config.name) or input_problem(config.name, input_shape, vocabulary_size)
    if problem is not None:
        raise InputError([Problem("model", config.name, problem)])
    match family(config.name):
        case "mlp":
            from kdsearch.models.mlp import mlp

            return mlp(input_shape, class_count, config.hidden or (), config.dropout)
        case "cnn":
            from kdsearch.models.cnn import cnn

            return cnn(input_shape, class_count, config.channels or (), config.dropout)
        case "transformer":
            return _transformer(config, input_shape[0], class_count, vocabulary_size or 0)
        case _:
            return _image_model(config, input_shape[0], class_count)


def _image_model(config: ModelConfig, channels: int, class_count: int) -> nn.Module:
    inner = config.name.partition("/")[2]
    match family(config.name):
        case "resnet":
            from kdsearch.models.resnet import ResNet

            return ResNet(channels, class_count, *RESNETS[config.name])
        case "wrn":
            from kdsearch.models.wide_resnet import WideResNet

            return WideResNet(channels, class_count, *wrn_sizes(config.name), config.dropout)
        case "torchvision":
            from kdsearch.models.libraries import torchvision_model

            return torchvision_model(inner, channels, class_count, config.pretrained, config.arguments)
        case _:
            from kdsearch.models.libraries import timm_model

            return timm_model(inner, channels, class_count, config.pretrained, config.arguments)


def _transformer(config: ModelConfig, length: int, class_count: int, vocabulary_size: int) -> nn.Module:
    from kdsearch.models.transformer import Transformer

    assert config.depth is not None and config.width is not None and config.heads is not None
    return Transformer(
        length,
        vocabulary_size,
        class_count,
        depth=config.depth,
        width=config.width,
        heads=config.heads,
        dropout=config.dropout,
    )


def _user_model(
    config: ModelConfig, input_shape: tuple[int, ...], class_count: int, vocabulary_size: int | None
) -> nn.Module:
    target = str(config.target)
    build = import_target("_target_", target)
    text = {} if vocabulary_size is None else {"vocabulary_size": vocabulary_size}
    try:
        model = build(input_shape=input_shape, class_count=class_count, **text, **config.arguments)
    except Exception as error:
        reason = f"failed with {type(error).__name__}: {error}"
        raise InputError([Problem("_target_", target, reason)]) from error
    if not isinstance(model, nn.Module):
        raise InputError([Problem("_target_", target, f"must return a torch.nn.Module, not {type(model).__name__}")])
    return model
