"""K distillers advanced in lock-step, as one batched model."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence

import torch
from torch import Tensor

from kdsearch.distiller.distiller import Distiller
from kdsearch.distiller.distiller import NonFiniteLossError
from kdsearch.distiller.evaluation import CHUNK
from kdsearch.distiller.packed.batches import StackedBatches
from kdsearch.distiller.packed.loss import StackedLoss
from kdsearch.distiller.packed.model import StackedModel
from kdsearch.distiller.packed.model import can_stack
from kdsearch.distiller.packed.optimizer import stacked_optimizer
from kdsearch.distiller.packed.weights import StackedWeights
from kdsearch.distiller.schedules import learning_rate_factor
from kdsearch.distiller.sets import EvaluationSet
from kdsearch.distiller.tasks import CLASSIFICATION


def can_pack(distillers: Sequence[Distiller]) -> bool:
    """Whether these can be trained as one: the same network, budget and step, and nothing that a batched model can't
    do (state besides weights, randomness, features, a teacher in the loop, mixed precision, micro-batches)."""
    first = distillers[0]
    shapes = [(name, parameter.shape) for name, parameter in first.model.named_parameters()]
    return all(
        distiller.is_plain
        and distiller.task is CLASSIFICATION
        and can_stack(distiller.model)
        and _common(distiller) == _common(first)
        and [(name, parameter.shape) for name, parameter in distiller.model.named_parameters()] == shapes
        for distiller in distillers
    )


def _common(distiller: Distiller) -> tuple[object, ...]:
    """What all students of a pack have in common."""
    training = distiller.training.model_copy(update={"learning_rate": 1.0, "weight_decay": 0.0})
    data = distiller.batches.data
    return (distiller.step, distiller.total_steps, len(data), data.inputs.shape, data.inputs.device, training)


class PackedDistiller:
    """Trains the students of `distillers` together; each stays a distiller of its own, to be scored, saved, or trained
    on alone. What it computes differs from what each would alone by rounding."""

    def __init__(self, distillers: Sequence[Distiller]) -> None:
        """
        Args:
            distillers: for which `can_pack` holds. Nothing else may train them while this one does.
        """
        self.distillers = sorted(distillers, key=lambda d: (d.recipe.alpha == 0, d.recipe.objective))
        first = self.distillers[0]
        self._training = first.training
        self._device = first.device
        self._weights = StackedWeights(self.distillers)
        self._model = StackedModel(first.model, self._weights.by_name)
        self._optimizer = stacked_optimizer(self.distillers, self._weights)
        self._batches = StackedBatches([distiller.batches for distiller in self.distillers])
        self._loss = StackedLoss(self.distillers, first.device)
        self._total_steps = first.total_steps

    @property
    def step(self) -> int:
        return self.distillers[0].step

    def advance(self, until_step: int, should_stop: Callable[[], bool]) -> dict[Distiller, NonFiniteLossError]:
        """Train all up to `until_step`, or to the first step after `should_stop` says so.

        Returns:
            Those whose loss has become infinite or not a number. They must leave the pack; the others are not harmed.
        """
        losses: list[Tensor] = []
        step = self.step
        self.distillers[0].model.train()
        for batch in self._batches.between(step, min(until_step, self._total_steps)):
            self._weights.gradients.zero_()
            outputs = self._model(batch.inputs)
            loss = self._loss(outputs, batch, (step + 1) / self._total_steps)
            loss.sum().backward()
            if self._training.gradient_clip is not None:
                self._weights.clip(self._training.gradient_clip)
            self._optimizer.step(learning_rate_factor(self._training.schedule, step, self._total_steps))
            losses.append(loss.detach())
            step += 1
            if should_stop():
                break
        return self._account(losses) if losses else {}

    def evaluate(self, data: Sequence[EvaluationSet]) -> dict[Distiller, NonFiniteLossError]:
        """Score every student, as `Distiller.evaluate`, on its entry of `data`; those whose outputs are not finite.

        The entries may differ in the teacher's logits alone.
        """
        count = len(self.distillers)
        with torch.no_grad():
            chunks = [self._model(_for_each(chunk, count)) for chunk in data[0].inputs.split(max(1, CHUNK // count))]
        failures: dict[Distiller, NonFiniteLossError] = {}
        for distiller, own, outputs in zip(self.distillers, data, torch.cat(chunks, dim=1), strict=True):
            try:
                distiller.score(outputs, own)
            except NonFiniteLossError as error:
                failures[distiller] = error
        return failures

    def _account(self, losses: list[Tensor]) -> dict[Distiller, NonFiniteLossError]:
        failures: dict[Distiller, NonFiniteLossError] = {}
        self._optimizer.sync()
        for distiller, values in zip(self.distillers, torch.stack(losses, dim=1).tolist(), strict=True):
            distiller.step += len(losses)
            try:
                distiller.take_losses(values)
            except NonFiniteLossError as error:
                failures[distiller] = error
        return failures


def _for_each(inputs: Tensor, count: int) -> Tensor:
    return inputs.unsqueeze(0).expand(count, *inputs.shape)
