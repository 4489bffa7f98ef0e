"""Training a teacher on the train pool."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kdsearch.config.schema import TeacherConfig
from kdsearch.data import Splits
from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.models import parameter_count
from kdsearch.recipe import Recipe
from kdsearch.seeds import derive_seed
from kdsearch.teacher.identity import teacher_hash
from kdsearch.teacher.identity import teacher_samples
from kdsearch.teacher.signals import Signals
from kdsearch.teacher.teacher import Teacher

if TYPE_CHECKING:
    import torch
    from torch import nn

    from kdsearch.distiller import Distiller
    from kdsearch.ledger.records import Point

LABELS_ONLY = Recipe("labels", alpha=0.0)


def train_teacher(
    config: TeacherConfig,
    splits: Splits,
    seed: int,
    *,
    device: str | torch.device = "auto",
    on_evaluation: Callable[[Distiller, Point], bool | None] | None = None,
) -> Teacher:
    """Train on labels of the train pool alone (`config.sample_count` of it), and compute the signals.

    `device` `auto` takes CUDA where there is one. `on_evaluation` sees each evaluation, for progress.

    Raises:
        InputError: its loss became infinite or not a number.
    """
    from kdsearch.distiller import EvaluationSet
    from kdsearch.distiller import NonFiniteLossError
    from kdsearch.distiller import TrainingSet
    from kdsearch.distiller import distill
    from kdsearch.distiller import suited_threads

    device = resolve_device(device)
    samples = teacher_samples(config, splits, seed)
    started = time.monotonic()
    try:
        with suited_threads(config.model):
            result = distill(
                config.model,
                LABELS_ONLY,
                config.training,
                TrainingSet.of(samples, splits.class_count),
                EvaluationSet.of(splits.validation),
                seed=derive_seed(seed, "teacher"),
                device=device,
                on_evaluation=on_evaluation,
            )
    except NonFiniteLossError as error:
        rate = config.training.learning_rate
        raise InputError([Problem("teacher.training.learning_rate", rate, f"{error}; try a lower one")]) from error
    seconds = time.monotonic() - started
    model = frozen(result.model)
    return Teacher(
        hash=teacher_hash(config, splits, seed),
        config=config,
        signals=_signals(model, splits, device),
        model=model.cpu(),
        metrics={name: value for name, value in result.metrics.items() if name.startswith("val_")},
        sample_count=len(samples),
        parameter_count=parameter_count(result.model),
        seconds=seconds,
    )


def resolve_device(device: str | torch.device) -> torch.device:
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def frozen(model: nn.Module) -> nn.Module:
    """The model in eval mode, its parameters without gradients."""
    model.eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.grad = None
    return model


def _signals(model: nn.Module, splits: Splits, device: torch.device) -> Signals:
    import torch

    from kdsearch.distiller import predict
    from kdsearch.distiller.evaluation import CHUNK

    parts = (splits.pool, splits.validation)
    # Images on disk are decoded a chunk at a time.
    chunks = (part.inputs[start : start + CHUNK] for part in parts for start in range(0, len(part), CHUNK))
    logits = [predict(model, torch.from_numpy(chunk).to(device)).float().cpu().numpy() for chunk in chunks]
    ids = np.concatenate([part.ids for part in parts])
    order = np.argsort(ids)
    return Signals(ids[order], np.concatenate(logits)[order])
