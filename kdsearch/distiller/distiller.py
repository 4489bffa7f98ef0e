"""The training of one student: deterministic given its config, stoppable and continuable at every step."""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch import nn

from kdsearch.config.schema import TrainingConfig
from kdsearch.distiller.evaluation import evaluate
from kdsearch.distiller.flat import FlatParameters
from kdsearch.distiller.schedules import evaluation_steps
from kdsearch.distiller.schedules import learning_rate_factor
from kdsearch.distiller.sets import EvaluationSet
from kdsearch.distiller.sets import TrainingSet
from kdsearch.distiller.tasks import CLASSIFICATION
from kdsearch.distiller.tasks import Task
from kdsearch.ledger.records import Point
from kdsearch.objectives.binding import bind
from kdsearch.recipe import Recipe
from kdsearch.seeds import derive_seed

DEFAULT_STEPS = 1000
"""The budget when neither epochs nor steps are set."""

LOSS_CHECK_INTERVAL = 50
"""Steps between looks at the loss on an accelerator, where each look waits for the device."""


class NonFiniteLossError(ArithmeticError):
    """The loss became infinite or not a number; `step` counts the optimizer steps before it."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step

    def __str__(self) -> str:
        return f"the loss became non-finite at step {self.step}"


def total_steps(training: TrainingConfig, sample_count: int) -> int:
    """The budget in optimizer steps for `sample_count` samples."""
    if training.epochs is not None:
        return training.epochs * steps_per_epoch(training, sample_count)
    return training.steps if training.steps is not None else DEFAULT_STEPS


def steps_per_epoch(training: TrainingConfig, sample_count: int) -> int:
    return math.ceil(sample_count / min(training.batch_size, sample_count))


def _never() -> bool:
    return False


class Distiller:
    """Trains `model` by `recipe`: loss = (1 - alpha) * CE(labels) + alpha * soft(teacher's signals).

    The order of samples in an epoch depends on (seed, epoch) alone; what a model draws at random (dropout) comes from a
    stream of the distiller's own, which its state holds. On the CPU a distiller that was saved and loaded ends with the
    same weights, to the bit, as one that was not. The teacher is never part of it.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        training: TrainingConfig,
        data: TrainingSet,
        *,
        seed: int,
        device: torch.device,
        task: Task = CLASSIFICATION,
    ) -> None:
        """
        Raises:
            InputError: unknown objective, or hyperparameters that are not allowed.
            ValueError: the recipe needs a teacher (alpha > 0) and the data has no signals.
        """
        if recipe.alpha > 0 and data.signals is None:
            raise ValueError(f"the objective {recipe.objective} with alpha={recipe.alpha:g} needs a teacher's signals")
        self.model = model.to(device)
        self.recipe = recipe
        self.training = training.model_copy(update=dict(recipe.training))
        self.total_steps = total_steps(training, len(data))
        self.steps_per_epoch = steps_per_epoch(training, len(data))
        self.step = 0
        self.series: list[Point] = []
        """One point per evaluation so far."""
        self._task = task
        self._soft = bind(recipe.objective, recipe.hyperparameters) if recipe.alpha > 0 else None
        self._data = data.to(device)
        self._device = device
        self._seed = seed
        self._parameters = FlatParameters(self.model)
        self._optimizer = _optimizer(self.training, self._parameters)
        self._random_states = _seeded_random_states(derive_seed(seed, "model"), device)
        self._loss_sum = 0.0
        self._loss_steps = 0

    @property
    def evaluation_steps(self) -> list[int]:
        """The steps at which this student is to be evaluated; the last is `total_steps`."""
        return evaluation_steps(self.total_steps, self.training.evaluations, self.steps_per_epoch)

    @property
    def is_done(self) -> bool:
        return self.step >= self.total_steps

    @property
    def is_evaluated(self) -> bool:
        """Whether the student has been scored since its last step."""
        return bool(self.series) and self._loss_steps == 0

    def advance(self, until_step: int, should_stop: Callable[[], bool] = _never) -> None:
        """Train up to `until_step`, or to the first step after `should_stop` says so.

        Raises:
            NonFiniteLossError: the loss is infinite or not a number.
        """
        until_step = min(until_step, self.total_steps)
        interval = 1 if self._device.type == "cpu" else LOSS_CHECK_INTERVAL
        losses: list[Tensor] = []
        self.model.train()
        with self._own_random_stream():
            for inputs, targets, signals in self._batches(until_step):
                losses.append(self._train_step(inputs, targets, signals))
                self.step += 1
                if len(losses) >= interval:
                    self._account(losses)
                if should_stop():
                    break
        self._account(losses)

    def evaluate(self, data: EvaluationSet) -> Point:
        """Score the student, add the point to `series` and return it.

        Its metrics are `val_` and the name of each of the task's metrics, at the end of training also its final ones,
        and `train_loss` (mean over the steps since the last evaluation).

        Raises:
            NonFiniteLossError: the student's outputs are not finite.
        """
        scores = evaluate(self.model, data, self._task, final=self.is_done)
        metrics = {f"val_{name}": value for name, value in scores.items()}
        if self._loss_steps:
            metrics["train_loss"] = self._loss_sum / self._loss_steps
        if not all(math.isfinite(value) for value in metrics.values()):
            raise NonFiniteLossError(self.step)
        self._loss_sum, self._loss_steps = 0.0, 0
        point = Point(math.ceil(self.step / self.steps_per_epoch), int(time.time() * 1000), metrics)
        self.series.append(point)
        return point

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on: a copy, of tensors and plain values only, for `torch.load(weights_only=True)`."""
        return {
            "step": self.step,
            "model": {name: tensor.clone() for name, tensor in self.model.state_dict().items()},
            "optimizer": copy.deepcopy(self._optimizer.state_dict()),
            "random_states": dict(self._random_states),
            "loss_sum": self._loss_sum,
            "loss_steps": self._loss_steps,
            "series": [{"epoch": p.epoch, "time": p.time, "metrics": dict(p.metrics)} for p in self.series],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`, of a distiller with the same model, recipe, training, data and seed."""
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._random_states = {name: stream.cpu() for name, stream in state["random_states"].items()}
        self.step = state["step"]
        self._loss_sum, self._loss_steps = state["loss_sum"], state["loss_steps"]
        self.series = [Point(**point) for point in state["series"]]

    def _batches(self, until_step: int) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        """The batches of the steps from `self.step` to `until_step`; the last of an epoch may be short."""
        step = self.step
        size = min(self.training.batch_size, len(self._data))
        while step < until_step:
            epoch, offset = divmod(step, self.steps_per_epoch)
            order = self._epoch_order(epoch)
            count = min(until_step - step, self.steps_per_epoch - offset)
            chosen = order[offset * size : (offset + count) * size]
            inputs = self._data.inputs[chosen].split(size)
            targets = self._data.targets[chosen].split(size)
            signals = None if self._soft is None else self._data.signals[chosen].split(size)  # type: ignore[index]
            for index in range(count):
                yield inputs[index], targets[index], None if signals is None else signals[index]
            step += count

    def _epoch_order(self, epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(derive_seed(self._seed, "epoch", epoch))
        return torch.randperm(len(self._data), generator=generator).to(self._device)

    def _train_step(self, inputs: Tensor, targets: Tensor, signals: Tensor | None) -> Tensor:
        factor = learning_rate_factor(self.training.schedule, self.step, self.total_steps)
        for group in self._optimizer.param_groups:
            group["lr"] = self.training.learning_rate * factor
        self._parameters.zero_gradients()
        loss = self._loss(self.model(inputs), targets, signals)
        loss.backward()
        if self.training.gradient_clip is not None:
            self._parameters.clip_gradients(self.training.gradient_clip)
        self._optimizer.step()
        return loss.detach()

    def _loss(self, outputs: Tensor, targets: Tensor, signals: Tensor | None) -> Tensor:
        alpha = self.recipe.alpha
        if self._soft is None or signals is None:
            return self._task.target_loss(outputs, targets, self.recipe.label_smoothing)
        progress = (self.step + 1) / self.total_steps
        soft = self._soft(outputs, signals, targets, progress=progress).mean()
        if alpha == 1:
            return soft
        return (1 - alpha) * self._task.target_loss(outputs, targets, self.recipe.label_smoothing) + alpha * soft

    def _account(self, losses: list[Tensor]) -> None:
        """Add the losses of the latest steps to the running mean, and empty the list."""
        if not losses:
            return
        values = [losses[0].item()] if len(losses) == 1 else torch.stack(losses).tolist()
        first = self.step - len(losses)
        losses.clear()
        for index, value in enumerate(values):
            if not math.isfinite(value):
                raise NonFiniteLossError(first + index)
            self._loss_sum += value
            self._loss_steps += 1

    @contextlib.contextmanager
    def _own_random_stream(self) -> Iterator[None]:
        """Let the model draw from this distiller's streams; torch's global ones are left as they were."""
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.set_rng_state(self._random_states["cpu"])
            if devices:
                torch.cuda.set_rng_state(self._random_states["cuda"], self._device)
            try:
                yield
            finally:
                self._random_states["cpu"] = torch.get_rng_state()
                if devices:
                    self._random_states["cuda"] = torch.cuda.get_rng_state(self._device)


def _optimizer(training: TrainingConfig, parameters: FlatParameters) -> torch.optim.Optimizer:
    if training.optimizer == "adamw":
        return torch.optim.AdamW(
            parameters.vectors, lr=training.learning_rate, weight_decay=training.weight_decay, foreach=False
        )
    return torch.optim.SGD(
        parameters.vectors,
        lr=training.learning_rate,
        momentum=training.momentum,
        weight_decay=training.weight_decay,
        nesterov=training.momentum > 0,
        foreach=False,
    )


def _seeded_random_states(seed: int, device: torch.device) -> dict[str, Tensor]:
    states = {"cpu": torch.Generator().manual_seed(seed).get_state()}
    if device.type == "cuda":
        states["cuda"] = torch.Generator(device).manual_seed(seed).get_state()
    return states
