"""One real student of every objective, and the training progress that warm-ups are given."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch

import kdsearch
from kdsearch.config.schema import TrainingConfig
from kdsearch.data import Splits
from kdsearch.objectives import SPECS
from kdsearch.recipe import Recipe
from kdsearch.teacher import Teacher
from tests.distiller.samples import distiller
from tests.distiller.samples import evaluation_set
from tests.distiller.samples import weights


@pytest.fixture(scope="module")
def digits() -> Splits:
    return kdsearch.load_dataset("digits")


@pytest.fixture(scope="module")
def teacher(digits: Splits) -> Teacher:
    return kdsearch.train_teacher(digits)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_a_student_of_every_objective_learns(name: str, alpha: float, digits: Splits, teacher: Teacher) -> None:
    training = TrainingConfig(steps=300, evaluations=2)
    student = kdsearch.distill(digits, teacher, sample_count=20, objective=name, alpha=alpha, training=training)
    assert student.completed
    assert all(math.isfinite(value) for value in student.metrics.values())
    assert student.metrics["val_accuracy"] > 0.5  # chance is 0.1


def test_a_switch_reaches_the_student(digits: Splits, teacher: Teacher) -> None:
    training = TrainingConfig(steps=20, evaluations=1)
    no_off_on: list[dict[str, Any]] = [{}, {"standardize": False}, {"standardize": True}]
    plain, off, on = (
        kdsearch.distill(digits, teacher, sample_count=20, training=training, **hyperparameters).metrics["train_loss"]
        for hyperparameters in no_off_on
    )
    assert plain == off != on


def test_a_warm_up_over_all_of_training_grows_with_each_step() -> None:
    """Without an optimizer step that matters, the loss of the k-th of 4 steps is k/4 of the full one."""
    still: dict[str, Any] = {"steps": 4, "batch_size": 20, "learning_rate": 1e-12, "evaluations": 4}
    full, warm = (distiller(Recipe("dkd", 1.0, {"warmup": share}), **still) for share in (0.0, 1.0))
    for step in range(1, 5):
        losses = []
        for student in (full, warm):
            student.advance(step)
            losses.append(student.evaluate(evaluation_set()).metrics["train_loss"])
        assert losses[1] == pytest.approx(step / 4 * losses[0], rel=1e-5)


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.uses_progress])
def test_a_warm_up_goes_on_where_it_was_interrupted(name: str) -> None:
    recipe = Recipe(name, 0.8, {"warmup": 0.9})
    whole, first, second = (distiller(recipe) for _ in range(3))
    whole.advance(24)
    first.advance(7)
    second.load_state_dict(first.state_dict())
    second.advance(24)
    assert torch.equal(weights(whole), weights(second))
    cold = distiller(dataclasses.replace(recipe, hyperparameters={"warmup": 0.0}))
    cold.advance(24)
    assert not torch.equal(weights(whole), weights(cold))
