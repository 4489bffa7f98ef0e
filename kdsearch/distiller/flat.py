"""A model's parameters and gradients as one vector each."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor
from torch import nn


class FlatParameters:
    """Moves models' trained parameters into one vector per type, each parameter a view of it; likewise the gradients.

    Zeroing, clipping and the optimizer then touch one tensor instead of one per layer, which on small networks is half
    of a step's time. The models' own names and `state_dict` stay as they were.
    """

    def __init__(self, *modules: nn.Module) -> None:
        self.vectors: list[nn.Parameter] = []
        self._groups: dict[tuple[torch.dtype, torch.device], list[nn.Parameter]] = {}
        for parameter in itertools.chain.from_iterable(module.parameters() for module in modules):
            if parameter.requires_grad:
                self._groups.setdefault((parameter.dtype, parameter.device), []).append(parameter)
        for parameters in self._groups.values():
            self.vectors.append(_flatten(parameters))

    def move(self, vector: Tensor, gradient: Tensor) -> None:
        """From now on let the parameters, all of one type, be views of `vector` [P], which holds their values.

        Their gradients become views of `gradient` [P].
        """
        [flat], [parameters] = self.vectors, self._groups.values()
        _set(parameters, vector, gradient)
        flat.data, flat.grad = vector, gradient

    def zero_gradients(self) -> None:
        for vector in self.vectors:
            assert vector.grad is not None
            vector.grad.zero_()

    def clip_gradients(self, largest_norm: float) -> None:
        """Scale the gradient so that its norm over all parameters is at most `largest_norm`."""
        gradients = [vector.grad for vector in self.vectors if vector.grad is not None]
        norm = torch.linalg.vector_norm(gradients[0])
        if len(gradients) > 1:
            norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g).float() for g in gradients]))
        scale = torch.clamp(largest_norm / (norm + 1e-6), max=1.0)
        for gradient in gradients:
            gradient.mul_(scale)


def _set(parameters: list[nn.Parameter], vector: Tensor, gradient: Tensor) -> None:
    """Let each of the parameters be a view of `vector`, and its gradient one of `gradient`."""
    offset = 0
    for parameter in parameters:
        parameter.data = _view(vector, parameter, offset)
        parameter.grad = _view(gradient, parameter, offset)
        offset += parameter.numel()


def _flatten(parameters: list[nn.Parameter]) -> nn.Parameter:
    first = parameters[0]
    vector = torch.empty(sum(p.numel() for p in parameters), dtype=first.dtype, device=first.device)
    gradient = torch.zeros_like(vector)
    offset = 0
    for parameter in parameters:
        _view(vector, parameter, offset).copy_(parameter.detach())
        offset += parameter.numel()
    _set(parameters, vector, gradient)
    flat = nn.Parameter(vector)
    flat.grad = gradient
    return flat


def _view(vector: Tensor, parameter: nn.Parameter, offset: int) -> Tensor:
    """The part of `vector` that begins at `offset`, in the shape and memory layout of `parameter`."""
    empty = torch.empty_like(parameter, device="meta", memory_format=torch.preserve_format)
    return vector.as_strided(parameter.shape, empty.stride(), vector.storage_offset() + offset)
