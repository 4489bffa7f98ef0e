"""Training a teacher's networks on the train pool."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kdsearch.config.locations import PRETRAINED
from kdsearch.config.schema import TeacherConfig
from kdsearch.data import Split
from kdsearch.data import Splits
from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.models import build_model
from kdsearch.models import parameter_count
from kdsearch.recipe import Recipe
from kdsearch.seeds import derive_seed
from kdsearch.teacher.answers import ask_here
from kdsearch.teacher.identity import network_hash
from kdsearch.teacher.identity import network_seed
from kdsearch.teacher.identity import teacher_samples
from kdsearch.teacher.signals import Signals
from kdsearch.teacher.teacher import Network
from kdsearch.teacher.teacher import Teacher

if TYPE_CHECKING:
    import torch
    from torch import nn

    from kdsearch.distiller import Distiller
    from kdsearch.ledger.records import Point
    from kdsearch.teacher.answers import Ask

LABELS_ONLY = Recipe("labels", alpha=0.0)


def train_teacher(
    config: TeacherConfig,
    splits: Splits,
    seed: int,
    *,
    device: str | torch.device = "auto",
    on_evaluation: Callable[[Distiller, Point], bool | None] | None = None,
) -> Teacher:
    """Train every network of the teacher on labels of the train pool alone, and compute the signals.

    `device` `auto` takes CUDA where there is one. `on_evaluation` sees each evaluation, for progress.

    Raises:
        InputError: a loss became infinite or not a number, or weights can't be used.
    """
    networks = [
        train_network(alone, splits, network_seed(seed, index), device=device, on_evaluation=on_evaluation)
        for alone, index in config.networks()
    ]
    return together(config, networks, splits)


def train_network(
    config: TeacherConfig,
    splits: Splits,
    seed: int,
    *,
    device: str | torch.device = "auto",
    on_evaluation: Callable[[Distiller, Point], bool | None] | None = None,
    ask: Ask = ask_here,
) -> Network:
    """One network: trained on `config.sample_count` samples of the pool, or with the weights that `config` names.

    `ask` has it answer for all samples.
    """
    device = resolve_device(device)
    started = time.monotonic()
    if config.weights is None:
        model, sample_count = _trained(config, splits, seed, device, on_evaluation), _sample_count(config, splits)
    else:
        model, sample_count = _with_weights(config, splits).to(device), 0
    seconds = time.monotonic() - started
    model = frozen(model)
    signals = _signals(model, splits, device, ask)
    return Network(
        hash=network_hash(config, splits, seed),
        config=config,
        signals=signals,
        model=model.cpu(),
        metrics=_validation_metrics(signals.of(splits.validation.ids), splits),
        sample_count=sample_count,
        parameter_count=parameter_count(model),
        seconds=seconds,
    )


def together(config: TeacherConfig, networks: Sequence[Network], splits: Splits) -> Teacher:
    """The teacher that these networks make."""
    teacher = Teacher(config, tuple(networks), networks[0].metrics)
    if len(networks) == 1:
        return teacher
    return Teacher(config, tuple(networks), _validation_metrics(teacher.logits_of(splits.validation.ids), splits))


def build_network(config: TeacherConfig, splits: Splits, seed: int) -> nn.Module:
    return build_model(
        config.model, splits.input_shape, splits.class_count, seed, vocabulary_size=splits.vocabulary_size
    )


def resolve_device(device: str | torch.device) -> torch.device:
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def frozen(model: nn.Module) -> nn.Module:
    """The model in eval mode, its parameters without gradients and each with a memory of its own."""
    model.eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.grad = None
        parameter.data = parameter.data.clone()
    return model


def _trained(
    config: TeacherConfig,
    splits: Splits,
    seed: int,
    device: torch.device,
    on_evaluation: Callable[[Distiller, Point], bool | None] | None,
) -> nn.Module:
    from kdsearch.distiller import EvaluationSet
    from kdsearch.distiller import NonFiniteLossError
    from kdsearch.distiller import TrainingSet
    from kdsearch.distiller import distill
    from kdsearch.distiller import suited_threads
    from kdsearch.distiller import with_bank

    samples = TrainingSet.of(
        teacher_samples(config, splits, seed), splits.class_count, vocabulary_size=splits.vocabulary_size
    )
    try:
        with suited_threads(config.model):
            return distill(
                config.model,
                LABELS_ONLY,
                config.training,
                with_bank(samples, config.training.augmentation, seed),
                EvaluationSet.of(splits.validation),
                seed=derive_seed(seed, "teacher"),
                device=device,
                on_evaluation=on_evaluation,
            ).model
    except NonFiniteLossError as error:
        rate = config.training.learning_rate
        raise InputError([Problem("teacher.training.learning_rate", rate, f"{error}; try a lower one")]) from error


def _sample_count(config: TeacherConfig, splits: Splits) -> int:
    return len(splits.pool) if config.sample_count is None else config.sample_count


def _with_weights(config: TeacherConfig, splits: Splits) -> nn.Module:
    from kdsearch.models.weights import load_weights

    assert config.weights is not None
    if config.weights == PRETRAINED:
        with_weights = config.model_copy(update={"model": config.model.model_copy(update={"pretrained": True})})
        return build_network(with_weights, splits, seed=0)
    model = build_network(config, splits, seed=0)
    load_weights(model, config.weights)
    return model


def _signals(model: nn.Module, splits: Splits, device: torch.device, ask: Ask) -> Signals:
    from kdsearch.distiller.evaluation import CHUNK

    parts = (splits.pool, splits.validation)
    places = [(part, slice(start, start + CHUNK)) for part in parts for start in range(0, len(part), CHUNK)]
    logits = ask(model, [functools.partial(_inputs, part, place) for part, place in places], device)
    ids = np.concatenate([part.ids for part in parts])
    order = np.argsort(ids)
    return Signals(ids[order], np.concatenate(logits)[order])


def _inputs(part: Split, place: slice) -> np.ndarray:
    return np.asarray(part.inputs[place])


def _validation_metrics(logits: np.ndarray, splits: Splits) -> dict[str, float]:
    import torch

    from kdsearch.distiller import CLASSIFICATION

    outputs, targets = torch.from_numpy(logits), torch.from_numpy(splits.validation.targets)
    scores = CLASSIFICATION.metrics(outputs, targets) | CLASSIFICATION.final_metrics(outputs, targets, None)
    return {f"val_{name}": value for name, value in scores.items()}
