"""The weights of K networks as the rows of one matrix."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor
from torch import nn

from kdsearch.distiller.distiller import Distiller

# The parts of a matrix have its rows' strides, as they must here.
warnings.filterwarnings("ignore", message="grad and param do not obey the gradient layout contract")


class StackedWeights:
    """Moves the weights of each distiller into a row of `matrix` [K, P]; the distillers go on using their rows.

    `by_name` has each parameter of all networks, [K, *shape], as a leaf whose gradient is a part of `gradients`.
    """

    def __init__(self, distillers: Sequence[Distiller]) -> None:
        vectors = [distiller.parameters.vectors[0] for distiller in distillers]
        self.matrix = torch.stack([vector.detach() for vector in vectors])
        self.gradients = torch.zeros_like(self.matrix)
        self.by_name: dict[str, Tensor] = {}
        for row, (distiller, vector) in enumerate(zip(distillers, vectors, strict=True)):
            distiller.parameters.move(self.matrix[row], self.gradients[row])
            assert vector.data_ptr() == self.matrix[row].data_ptr()
        offset = 0
        for name, parameter in distillers[0].model.named_parameters():
            leaf = _columns(self.matrix, parameter, offset).requires_grad_()
            leaf.grad = _columns(self.gradients, parameter, offset)
            self.by_name[name] = leaf
            offset += parameter.numel()

    def clip(self, largest_norm: float) -> None:
        """Scale each network's gradient so that its norm is at most `largest_norm`."""
        norms = torch.linalg.vector_norm(self.gradients, dim=1, keepdim=True)
        self.gradients.mul_((largest_norm / (norms + 1e-6)).clamp(max=1.0))


def _columns(matrix: Tensor, parameter: nn.Parameter, offset: int) -> Tensor:
    return matrix[:, offset : offset + parameter.numel()].unflatten(1, parameter.shape).detach()
