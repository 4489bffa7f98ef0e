"""torch's SGD and AdamW on K networks at once, each with its own learning rate and weight decay.

torch's optimizers take one learning rate per tensor. The formulas are those of `torch.optim.SGD` (Nesterov's momentum
unless it is 0) and `torch.optim.AdamW`; the state is kept in the distillers' own optimizers, as views of rows, so that
a student that leaves the pack takes its own along.
"""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from kdsearch.distiller.distiller import Distiller
from kdsearch.distiller.packed.weights import StackedWeights


class StackedOptimizer(ABC):
    def __init__(self, distillers: Sequence[Distiller], weights: StackedWeights) -> None:
        self._weights = weights
        self._states = [distiller.optimizer.state[distiller.parameters.vectors[0]] for distiller in distillers]
        self._rates = self._column([distiller.training.learning_rate for distiller in distillers])
        self._decays = self._column([distiller.training.weight_decay for distiller in distillers])

    @abstractmethod
    def step(self, factor: float) -> None:
        """Change the weights by their gradients; each learning rate times `factor`."""

    @abstractmethod
    def sync(self) -> None:
        """Let the distillers' own optimizers know what they hold no view of."""

    def _column(self, values: list[float]) -> Tensor:
        matrix = self._weights.matrix
        return torch.tensor(values, dtype=matrix.dtype, device=matrix.device).unsqueeze(1)

    def _stacked(self, name: str) -> Tensor:
        """The tensor `name` of every state as the rows of a matrix, which become the states'; zeros where it is new."""
        rows = [state.get(name) for state in self._states]
        matrix = torch.zeros_like(self._weights.matrix)
        for row, known in enumerate(rows):
            if known is not None:
                matrix[row] = known
            self._states[row][name] = matrix[row]
        return matrix


class StackedSgd(StackedOptimizer):
    def __init__(self, distillers: Sequence[Distiller], weights: StackedWeights) -> None:
        super().__init__(distillers, weights)
        self._momentum = distillers[0].training.momentum
        self._buffers = self._stacked("momentum_buffer") if self._momentum > 0 else None

    def step(self, factor: float) -> None:
        gradients = torch.addcmul(self._weights.gradients, self._decays, self._weights.matrix)
        if self._buffers is not None:
            self._buffers.mul_(self._momentum).add_(gradients)
            gradients.add_(self._buffers, alpha=self._momentum)
        self._weights.matrix.addcmul_(self._rates, gradients, value=-factor)

    def sync(self) -> None:
        return  # momentum is all there is


class StackedAdamW(StackedOptimizer):
    def __init__(self, distillers: Sequence[Distiller], weights: StackedWeights) -> None:
        super().__init__(distillers, weights)
        group = distillers[0].optimizer.param_groups[0]
        self._betas: tuple[float, float] = group["betas"]
        self._eps: float = group["eps"]
        self._steps = int(self._states[0].get("step", 0))
        self._means, self._squares = self._stacked("exp_avg"), self._stacked("exp_avg_sq")

    def step(self, factor: float) -> None:
        self._steps += 1
        first, second = self._betas
        gradients = self._weights.gradients
        rates = self._rates * factor
        self._weights.matrix.mul_(1 - rates * self._decays)
        self._means.lerp_(gradients, 1 - first)
        self._squares.mul_(second).addcmul_(gradients, gradients, value=1 - second)
        deviations = self._squares.sqrt().div_((1 - second**self._steps) ** 0.5).add_(self._eps)
        self._weights.matrix.addcdiv_(self._means * (rates / (1 - first**self._steps)), deviations, value=-1)

    def sync(self) -> None:
        for state in self._states:
            state["step"] = torch.tensor(float(self._steps))


def stacked_optimizer(distillers: Sequence[Distiller], weights: StackedWeights) -> StackedOptimizer:
    kind = StackedAdamW if distillers[0].training.optimizer == "adamw" else StackedSgd
    return kind(distillers, weights)
