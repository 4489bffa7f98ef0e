"""Teachers that are networks, and what they say about small images: beforehand, or in the loop."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch import nn

from kdsearch.config.schema import ModelConfig
from kdsearch.distiller import Distiller
from kdsearch.distiller import EvaluationSet
from kdsearch.distiller import TrainingSet
from kdsearch.distiller import new_distiller
from kdsearch.distiller.sets import UNLABELLED
from kdsearch.models import build_model
from kdsearch.recipe import Recipe
from kdsearch.teacher.online import OnlineTeacher
from tests.distiller.samples import CPU
from tests.distiller.samples import MLP
from tests.distiller.samples import training

CLASSES = 4
SHAPE = (1, 8, 8)
WIDE = ModelConfig(name="mlp", hidden=(12,), dropout=0.5)
CONVOLUTIONAL = ModelConfig(name="cnn", channels=(4, 6))


def users(name: str, **arguments: Any) -> ModelConfig:
    return ModelConfig.model_validate(
        {"name": "custom", "_target_": f"tests.distiller.networks.{name}", "arguments": arguments}
    )


NORMALISED = users("Normalised")


def images(n: int = 21, seed: int = 0, unlabelled: int = 0) -> TrainingSet:
    """Noisy images, brighter in the row of their class; the last `unlabelled` have no label."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(n) % CLASSES
    inputs = torch.randn(n, *SHAPE, generator=generator)
    inputs[torch.arange(n), 0, 2 * targets] += 1.0
    targets[n - unlabelled :] = UNLABELLED
    return TrainingSet(torch.arange(50, 50 + n), inputs, targets, CLASSES)


def validation(n: int = 12) -> EvaluationSet:
    data = images(n, seed=9)
    return EvaluationSet(data.inputs, data.targets)


def network(config: ModelConfig = WIDE, seed: int = 0) -> nn.Module:
    """A teacher's network; its logits tell classes apart, and its running statistics are not those at the start."""
    model = build_model(config, SHAPE, CLASSES, 100 + seed)
    with torch.random.fork_rng(), torch.no_grad():
        model(3 * images(64, seed=seed).inputs + 1)
        for parameter in model.parameters():
            parameter.mul_(2.0)
    return model.eval().requires_grad_(False)


def networks(count: int) -> list[nn.Module]:
    return [network((WIDE, NORMALISED, CONVOLUTIONAL)[index % 3], index) for index in range(count)]


def in_the_loop(teachers: Sequence[nn.Module], **settings: Any) -> OnlineTeacher:
    return OnlineTeacher(teachers, CPU, **settings)


def with_answers(data: TrainingSet, teachers: Sequence[nn.Module], **settings: Any) -> TrainingSet:
    """The set with what the networks say about each input (of a bank, each view), as a cache would hold it."""
    inputs = data.inputs if data.views is None else data.inputs.flatten(0, 1)
    answer = in_the_loop(teachers, **settings).answer_all(inputs)
    logits, features = (
        value if value is None or data.views is None else value.unflatten(0, (len(data), data.views))
        for value in (answer.logits, answer.features)
    )
    return dataclasses.replace(data, signals=logits, features=features)


def student(
    recipe: Recipe,
    data: TrainingSet,
    teacher: OnlineTeacher | None = None,
    model: ModelConfig = MLP,
    seed: int = 0,
    layer: str | None = None,
    devices: int = 1,
    **changes: Any,
) -> Distiller:
    """`devices`: so many copies of the student share each batch."""
    return new_distiller(
        model,
        recipe,
        training(**changes),
        data,
        seed=seed,
        device=CPU,
        teacher=teacher,
        layer=layer,
        beside=[CPU] * (devices - 1),
    )


def losses(trained: Distiller, until: int | None = None) -> list[float]:
    """The loss of every step from here to `until`, by default the end."""
    found = []
    for step in range(trained.step + 1, 1 + (trained.total_steps if until is None else until)):
        trained.advance(step)
        found.append(trained.evaluate(validation()).metrics["train_loss"])
    return found


def fingerprint(model: nn.Module) -> str:
    """Of weights, buffers and the mode of each module."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode() + tensor.numpy().tobytes())
    modes = [(name, module.training) for name, module in model.named_modules()]
    gradients = [(name, p.requires_grad, p.grad is None) for name, p in model.named_parameters()]
    digest.update(repr((modes, gradients)).encode())
    return digest.hexdigest()


def tensors(value: Any) -> list[Tensor]:
    """All tensors of a state."""
    if isinstance(value, Tensor):
        return [value]
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [tensor for child in children for tensor in tensors(child)]
