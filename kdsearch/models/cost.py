"""What a network costs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch import nn
from torch.nn.attention import SDPBackend
from torch.nn.attention import sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from kdsearch.config.schema import ModelConfig
from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.models import build_model
from kdsearch.models import parameter_count


@dataclass(frozen=True)
class ModelCost:
    parameters: int
    """Numbers that training changes; BatchNorm's running statistics are not among them."""
    flops: int
    """Floating-point operations of one forward pass of one sample, a multiply-add counted as two."""


def model_cost(
    config: ModelConfig, input_shape: tuple[int, ...], class_count: int, vocabulary_size: int | None = None
) -> ModelCost:
    """Parameters and FLOPs, by `torch.utils.flop_counter`.

    Counted are matrix products, convolutions and attention; biases, normalisation, activations, pooling and embedding
    look-ups are not. A network that can't take one sample of `input_shape` is found here: nothing is computed, so this
    is cheap; a `_target_` alone is run on the CPU, since its code may need numbers.

    Raises:
        InputError: as `build_model`; the network can't take the inputs; its output is not logits [1, class_count].
    """
    plain = config.model_copy(update={"pretrained": False})
    model = _built(plain, input_shape, class_count, vocabulary_size).eval()
    name = config.target or config.name
    try:
        if config.target is None:
            model, device = model.to("meta"), "meta"
        else:
            device = "cpu"
        # Fused operations are not all counted: attention is taken apart, and with gradients on so is an encoder layer.
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.enable_grad():
            logits = model(_sample(input_shape, vocabulary_size, device))
    except Exception as error:  # a user's or another library's code
        raise _unfit(name, f"can't take inputs of shape {list(input_shape)} ({_first_line(error)})") from error
    if not isinstance(logits, Tensor) or tuple(logits.shape) != (1, class_count):
        shape = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise _unfit(name, f"must give logits [1,{class_count}] for one sample, not {shape}")
    return ModelCost(parameter_count(model), counter.get_total_flops())


def _built(
    config: ModelConfig, input_shape: tuple[int, ...], class_count: int, vocabulary_size: int | None
) -> nn.Module:
    try:
        return build_model(config, input_shape, class_count, seed=0, vocabulary_size=vocabulary_size)
    except InputError:
        raise
    except Exception as error:  # a user's code
        reason = f"failed with {type(error).__name__}: {_first_line(error)}"
        raise InputError([Problem("_target_", config.target, reason)]) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _unfit(name: str, allowed: str) -> InputError:
    return InputError([Problem("model", name, allowed)])


def _sample(input_shape: tuple[int, ...], vocabulary_size: int | None, device: str) -> Tensor:
    dtype = torch.float32 if vocabulary_size is None else torch.int64
    return torch.ones(1, *input_shape, dtype=dtype, device=device)
