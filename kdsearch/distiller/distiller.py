"""The training of one student: deterministic given its config, stoppable and continuable at every step."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import itertools
import logging
import math
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch import nn

from kdsearch.augmentation import Augmentation
from kdsearch.config.schema import TrainingConfig
from kdsearch.distiller.batches import Batch
from kdsearch.distiller.batches import Batches
from kdsearch.distiller.evaluation import predict
from kdsearch.distiller.evaluation import scores_of
from kdsearch.distiller.feature import FeatureMatch
from kdsearch.distiller.flat import FlatParameters
from kdsearch.distiller.loss import StudentLoss
from kdsearch.distiller.precision import Precision
from kdsearch.distiller.precision import deterministic_algorithms
from kdsearch.distiller.replica import Replica
from kdsearch.distiller.schedules import evaluation_steps
from kdsearch.distiller.schedules import learning_rate_factor
from kdsearch.distiller.sets import EvaluationSet
from kdsearch.distiller.sets import TrainingSet
from kdsearch.distiller.tasks import CLASSIFICATION
from kdsearch.distiller.tasks import Task
from kdsearch.distiller.teaching import Teaching
from kdsearch.ledger.records import Point
from kdsearch.recipe import Recipe
from kdsearch.seeds import derive_seed
from kdsearch.teacher.online import OnlineTeacher

logger = logging.getLogger(__name__)

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

    The order of samples in an epoch depends on (seed, epoch) alone; what is drawn at random besides (dropout,
    augmentation) comes from a stream of the distiller's own, which its state holds. On the CPU a distiller that was
    saved and loaded ends with the same weights, to the bit, as one that was not. The teacher is never part of it.
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
        teacher: OnlineTeacher | None = None,
        layer: str | None = None,
        beside: Sequence[torch.device] = (),
    ) -> None:
        """
        Args:
            beside: more devices, each of which takes its share of every batch.
            teacher: is asked about every batch, as the student sees it, in place of what the data hold of its answers.
            layer: of the student, for a feature objective; None takes the objective's default.

        Raises:
            InputError: unknown objective, hyperparameters that are not allowed, or a layer that is not there.
            ValueError: the recipe needs a teacher (alpha > 0), and there are no signals and no teacher in the loop.
        """
        # With their index, as tensors there have it.
        device, *beside = (torch.empty(0, device=device).device for device in (device, *beside))
        self._teaching = Teaching(recipe, data, teacher)
        self.training = training.model_copy(update=dict(recipe.training))
        copies = [_on_device(copy.deepcopy(model), other, self.training) for other in beside]
        self.model = _on_device(model, device, self.training)
        self.recipe = recipe
        # Epochs are passes over the labelled samples, so that a student with unlabelled ones has no larger budget.
        self.total_steps = total_steps(training, data.labelled_count)
        self.steps_per_epoch = steps_per_epoch(training, data.labelled_count)
        self.micro_batch_size = self.training.micro_batch_size or self.training.batch_size
        """Of how many samples a gradient is computed at once; halved where memory runs out."""
        self.step = 0
        self.series: list[Point] = []
        """One point per evaluation so far."""
        self.task = task
        self.device = device
        self.loss = StudentLoss(recipe, task, label_scale=len(data) / data.labelled_count)
        taught = self._teaching
        self.batches = Batches(taught.data.to(device), taught.weights, self.training.batch_size, seed, device)
        self._augmentation = _online_augmentation(self.training)
        self._network, *self._replicas = [
            Replica(
                network,
                self._feature_match(network, where, layer, data, seed),
                where,
                compile=self.training.compile,
            )
            for network, where in [(self.model, device), *zip(copies, beside, strict=True)]
        ]
        self._feature, self.parameters = self._network.feature, self._network.parameters
        self.optimizer = _optimizer(self.training, self.parameters)
        self._precision = Precision(self.training.precision, device)
        self._random_devices = _random_devices([device, *beside])
        self._random_states = _seeded_random_states(derive_seed(seed, "model"), self._random_devices)
        self._loss_sum = 0.0
        self._loss_steps = 0

    @property
    def evaluation_steps(self) -> list[int]:
        """The steps at which this student is to be evaluated; the last is `total_steps`."""
        return evaluation_steps(self.total_steps, self.training.evaluations, self.steps_per_epoch)

    @property
    def is_plain(self) -> bool:
        """Whether a step is no more than forward pass, loss on labels and cached signals, and optimizer, in fp32."""
        training = self.training
        return (
            self._teaching.teacher is None
            and self._feature is None
            and self._augmentation is None
            and self.batches.data.views is None
            and self.batches.data.inputs.device == self.device
            and training.precision == "fp32"
            and self.micro_batch_size >= training.batch_size
            and not self._replicas
            and not (training.channels_last or training.compile or training.deterministic)
        )

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
        interval = 1 if self.device.type == "cpu" else LOSS_CHECK_INTERVAL
        losses: list[Tensor] = []
        self.model.train()
        with self._own_random_stream(), deterministic_algorithms(self.training.deterministic):
            for batch in self.batches.between(self.step, until_step):
                losses.append(self._train_step(batch))
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
        return self.score(predict(self.model, data.inputs), data)

    def score(self, outputs: Tensor, data: EvaluationSet) -> Point:
        """As `evaluate`, from the student's outputs for the inputs of `data`."""
        scores = scores_of(outputs, data, self.task, final=self.is_done)
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
            "optimizer": _copied(self.optimizer.state_dict()),
            "feature": {} if self._feature is None else self._feature.state_dict(),
            "precision": self._precision.state_dict(),
            "micro_batch_size": self.micro_batch_size,
            "random_states": dict(self._random_states),
            "loss_sum": self._loss_sum,
            "loss_steps": self._loss_steps,
            "series": [{"epoch": p.epoch, "time": p.time, "metrics": dict(p.metrics)} for p in self.series],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`, of a distiller with the same model, recipe, training, data and seed."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self._feature is not None:
            self._feature.load_state_dict(state["feature"])
        self._precision.load_state_dict(state["precision"])
        self.micro_batch_size = state["micro_batch_size"]
        self._random_states |= {name: stream.cpu() for name, stream in state["random_states"].items()}
        self.step = state["step"]
        self._loss_sum, self._loss_steps = state["loss_sum"], state["loss_steps"]
        self.series = [Point(**point) for point in state["series"]]

    def close(self) -> None:
        """Leave the student as a network like any other."""
        if self._feature is not None:
            self._feature.close()
        self._replicas = []

    def _feature_match(
        self, model: nn.Module, device: torch.device, layer: str | None, data: TrainingSet, seed: int
    ) -> FeatureMatch | None:
        if self.recipe.feature is None:
            return None
        sample = data.plain_inputs[:2]
        shape = self._teaching.feature_shape(sample.to(self.device))
        return FeatureMatch(self.recipe.feature, model, layer, sample.to(device), shape, seed)

    def _seen(self, batch: Batch) -> Batch:
        """The batch as the student sees it, with what a teacher in the loop says about just that."""
        if self._augmentation is not None:
            batch = dataclasses.replace(batch, inputs=self._augmentation(batch.inputs))
        return self._teaching.answered(batch)

    def _train_step(self, batch: Batch) -> Tensor:
        factor = learning_rate_factor(self.training.schedule, self.step, self.total_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = self.training.learning_rate * factor
        while True:
            try:
                loss = self._gradient(batch)
                break
            except torch.OutOfMemoryError:
                self._halve(len(batch))
        self._precision.unscale(self.optimizer)
        if self.training.gradient_clip is not None:
            self.parameters.clip_gradients(self.training.gradient_clip)
        self._precision.step(self.optimizer)
        return loss

    def _gradient(self, batch: Batch) -> Tensor:
        """Put the gradient of the batch's mean loss in place, micro-batch by micro-batch; returns that loss."""
        self.parameters.zero_gradients()
        size = self._part_size(len(batch))
        if len(batch) <= size:
            return self._backward(self._network, self._seen(batch), 1.0)
        networks = [self._network, *self._replicas]
        for replica in self._replicas:
            replica.follow(self._network)
        losses = [
            self._backward(network, self._seen(part), len(part) / len(batch)).to(self.device, non_blocking=True)
            for part, network in zip(batch.split(size), itertools.cycle(networks), strict=False)
        ]
        for replica in self._replicas:
            self._network.add_gradients_of(replica)
        return torch.stack(losses).sum()

    def _part_size(self, batch_size: int) -> int:
        """Of how many samples of a batch the gradient is computed at once, on one device."""
        return min(self.micro_batch_size, math.ceil(batch_size / (1 + len(self._replicas))))

    def _backward(self, network: Replica, batch: Batch, share: float) -> Tensor:
        if network is not self._network:
            batch = batch.to(network.device)
        inputs = batch.inputs
        if self.training.channels_last and inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        with self._precision.forward_pass():
            outputs = network.forward(inputs)
        loss = self.loss(_at_least_float(outputs), batch, (self.step + 1) / self.total_steps)
        if network.feature is not None:
            assert batch.features is not None
            loss = loss + network.feature.loss(batch.features)
        if share != 1:
            loss = share * loss
        self._precision.backward(loss)
        return loss.detach()

    def _halve(self, batch_size: int) -> None:
        """Called while an out-of-memory error is handled; raises it where there is nothing left to halve."""
        size = self._part_size(batch_size)
        if size == 1:
            raise
        self.micro_batch_size = math.ceil(size / 2)
        logger.warning("out of memory at step %d: gradients of %d samples at a time", self.step, self.micro_batch_size)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _account(self, losses: list[Tensor]) -> None:
        """Take the losses of the latest steps, and empty the list."""
        if losses:
            values = [losses[0].item()] if len(losses) == 1 else torch.stack(losses).tolist()
            losses.clear()
            self.take_losses(values)

    def take_losses(self, values: Sequence[float]) -> None:
        """Add the losses of the latest steps to the running mean.

        Raises:
            NonFiniteLossError: one of them is infinite or not a number.
        """
        first = self.step - len(values)
        for index, value in enumerate(values):
            if not math.isfinite(value):
                raise NonFiniteLossError(first + index)
            self._loss_sum += value
            self._loss_steps += 1

    @contextlib.contextmanager
    def _own_random_stream(self) -> Iterator[None]:
        """Let the model draw from this distiller's streams; torch's global ones are left as they were."""
        with torch.random.fork_rng(devices=list(self._random_devices.values())):
            torch.set_rng_state(self._random_states["cpu"])
            for name, device in self._random_devices.items():
                torch.cuda.set_rng_state(self._random_states[name], device)
            try:
                yield
            finally:
                self._random_states["cpu"] = torch.get_rng_state()
                for name, device in self._random_devices.items():
                    self._random_states[name] = torch.cuda.get_rng_state(device)


def _copied(state: Any) -> Any:
    """Each tensor with a storage of its own: in a pack it is a row of a matrix, all of which a deep copy would take."""
    if isinstance(state, Tensor):
        return state.clone()
    if isinstance(state, dict):
        return {name: _copied(value) for name, value in state.items()}
    return [_copied(value) for value in state] if isinstance(state, list) else state


def _on_device(model: nn.Module, device: torch.device, training: TrainingConfig) -> nn.Module:
    model = model.to(device)
    if training.channels_last:
        model = model.to(memory_format=torch.channels_last)
    return model


def _online_augmentation(training: TrainingConfig) -> Augmentation | None:
    if training.augmentation.mode != "online" or not training.augmentation.transforms:
        return None
    return Augmentation(training.augmentation.transforms)


def _at_least_float(outputs: Tensor) -> Tensor:
    return outputs.float() if outputs.dtype in (torch.float16, torch.bfloat16) else outputs


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


def _random_devices(devices: Sequence[torch.device]) -> dict[str, torch.device]:
    """Those that have random streams of their own, by the name of the stream in a distiller's state."""
    accelerators = [device for device in devices if device.type == "cuda"]
    return {f"cuda.{index}" if index else "cuda": device for index, device in enumerate(accelerators)}


def _seeded_random_states(seed: int, devices: Mapping[str, torch.device]) -> dict[str, Tensor]:
    """Of the CPU and of `devices`, each with a stream of its own."""
    states = {"cpu": torch.Generator().manual_seed(seed).get_state()}
    for index, (name, device) in enumerate(devices.items()):
        own = seed if index == 0 else derive_seed(seed, "replica", index)
        states[name] = torch.Generator(device).manual_seed(own).get_state()
    return states
