"""One student from its first step to its last."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from kdsearch.config.schema import ModelConfig
from kdsearch.config.schema import TrainingConfig
from kdsearch.distiller.distiller import Distiller
from kdsearch.distiller.evaluation import evaluate
from kdsearch.distiller.sets import EvaluationSet
from kdsearch.distiller.sets import TrainingSet
from kdsearch.ledger.records import Point
from kdsearch.models import build_model
from kdsearch.recipe import Recipe
from kdsearch.seeds import derive_seed
from kdsearch.teacher.online import OnlineTeacher


@dataclass(frozen=True)
class DistillResult:
    model: nn.Module
    metrics: dict[str, float]
    """Those of the last evaluation (`val_accuracy`, …) and, with a test set, `test_accuracy`, `test_nll`, …"""
    series: tuple[Point, ...]
    completed: bool
    """False when it was stopped before the end of its budget."""


def new_distiller(
    student: ModelConfig,
    recipe: Recipe,
    training: TrainingConfig,
    data: TrainingSet,
    *,
    seed: int,
    device: torch.device,
    teacher: OnlineTeacher | None = None,
    layer: str | None = None,
    beside: Sequence[torch.device] = (),
) -> Distiller:
    """A freshly initialised student and its distiller; everything random in it derives from `seed`.

    With devices `beside` its own, each batch is shared among them all.
    """
    model = build_model(
        student,
        data.input_shape,
        data.class_count,
        derive_seed(seed, "weights"),
        vocabulary_size=data.vocabulary_size,
    )
    return Distiller(
        model, recipe, training, data, seed=seed, device=device, teacher=teacher, layer=layer, beside=beside
    )


def distill(
    student: ModelConfig,
    recipe: Recipe,
    training: TrainingConfig,
    training_set: TrainingSet,
    validation_set: EvaluationSet,
    *,
    seed: int,
    device: torch.device | str = "cpu",
    teacher: OnlineTeacher | None = None,
    layer: str | None = None,
    test_set: EvaluationSet | None = None,
    resume: dict[str, Any] | None = None,
    on_evaluation: Callable[[Distiller, Point], bool | None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> DistillResult:
    """Train one student and score it.

    Args:
        teacher: in the loop, in place of cached answers.
        layer: of the student, for a feature objective.
        resume: the `state_dict` of an earlier, unfinished run of the same student.
        on_evaluation: called after each evaluation with the distiller (for its `state_dict`) and the new point;
            returning True stops the training.
        should_stop: asked after every step; True stops at once, without another evaluation.

    Raises:
        NonFiniteLossError: the loss is infinite or not a number.
    """
    device = torch.device(device)
    distiller = new_distiller(
        student, recipe, training, training_set, seed=seed, device=device, teacher=teacher, layer=layer
    )
    if resume is not None:
        distiller.load_state_dict(resume)
    _train(distiller, validation_set.to(device), on_evaluation, should_stop)
    metrics = dict(distiller.series[-1].metrics) if distiller.series else {}
    if test_set is not None and distiller.is_done:
        scores = evaluate(distiller.model, test_set.to(device))
        metrics |= {f"test_{name}": value for name, value in scores.items()}
    distiller.close()
    return DistillResult(distiller.model.eval(), metrics, tuple(distiller.series), distiller.is_done)


def _train(
    distiller: Distiller,
    validation_set: EvaluationSet,
    on_evaluation: Callable[[Distiller, Point], bool | None] | None,
    should_stop: Callable[[], bool] | None,
) -> None:
    for step in distiller.evaluation_steps:
        if step < distiller.step or (step == distiller.step and distiller.is_evaluated):
            continue
        if should_stop is None:
            distiller.advance(step)
        else:
            distiller.advance(step, should_stop)
        if distiller.step < step:
            return
        point = distiller.evaluate(validation_set)
        if on_evaluation is not None and on_evaluation(distiller, point):
            return
