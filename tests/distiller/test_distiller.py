"""One student's training: the loss it minimises, its order of samples, its budget, and what stops it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from kdsearch.distiller import NonFiniteLossError
from kdsearch.distiller import TrainingSet
from kdsearch.distiller.batches import Batches
from kdsearch.objectives import soft_loss
from kdsearch.recipe import Recipe
from tests.distiller.samples import CNN
from tests.distiller.samples import CPU
from tests.distiller.samples import DROPOUT
from tests.distiller.samples import KL
from tests.distiller.samples import LABELS
from tests.distiller.samples import MIXED
from tests.distiller.samples import MLP
from tests.distiller.samples import MSE
from tests.distiller.samples import distiller
from tests.distiller.samples import evaluation_set
from tests.distiller.samples import training_set
from tests.distiller.samples import weights


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("model", [MLP, DROPOUT, CNN])
def test_the_same_seed_gives_the_same_weights_to_the_bit(model: object, optimizer: str) -> None:
    first, again, other = (distiller(model=model, optimizer=optimizer, seed=seed) for seed in (3, 3, 4))  # type: ignore[arg-type]
    for index, one in enumerate((first, again, other)):
        torch.manual_seed(index)
        one.advance(one.total_steps)
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


@pytest.mark.parametrize("recipe", [LABELS, KL, MIXED, MSE])
def test_training_lowers_the_loss(recipe: Recipe) -> None:
    student = distiller(recipe, steps=200, evaluations=10)
    losses = []
    for step in student.evaluation_steps:
        student.advance(step)
        losses.append(student.evaluate(evaluation_set()).metrics["train_loss"])
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("recipe", [LABELS, KL, MIXED, MSE])
def test_the_loss_is_the_recipe(recipe: Recipe) -> None:
    """One step on all samples, compared with the formula and an optimizer of torch's own."""
    data = training_set()
    student = distiller(
        recipe, data=data, batch_size=20, steps=1, schedule="constant", momentum=0, weight_decay=0, gradient_clip=None
    )
    reference = distiller(recipe, data=data).model  # the same seed: the same first weights
    outputs = reference(data.inputs)
    expected = torch.zeros(())
    if recipe.alpha < 1:
        hard = F.cross_entropy(outputs, data.targets, label_smoothing=recipe.label_smoothing)
        expected = expected + (1 - recipe.alpha) * hard
    if recipe.alpha > 0:
        assert data.signals is not None
        soft = soft_loss(recipe.objective, outputs, data.signals, data.targets, **recipe.hyperparameters)
        expected = expected + recipe.alpha * soft.mean()
    gradients = torch.autograd.grad(expected, list(reference.parameters()))
    stepped = [p - 0.1 * g for p, g in zip(reference.parameters(), gradients, strict=True)]

    student.advance(1)
    loss = student.evaluate(evaluation_set()).metrics["train_loss"]
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    for parameter, wanted in zip(student.model.parameters(), stepped, strict=True):
        assert torch.allclose(parameter, wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "build"),
    [
        (
            {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.01},
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
        ),
        ({"optimizer": "adamw", "weight_decay": 0.01}, lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.01)),
    ],
)
def test_one_vector_of_parameters_trains_like_torchs_own_loop(settings: dict[str, Any], build: Any) -> None:
    data = training_set()
    student = distiller(data=data, batch_size=20, steps=10, schedule="constant", gradient_clip=0.5, **settings)
    model = distiller(data=data).model
    for parameter in model.parameters():
        parameter.grad = None
        parameter.data = parameter.data.clone()
    optimizer = build(model.parameters())
    for _ in range(10):
        optimizer.zero_grad()
        soft_loss("kl", model(data.inputs), data.signals, data.targets, temperature=4.0).mean().backward()  # type: ignore[arg-type]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
    student.advance(10)
    for parameter, wanted in zip(student.model.parameters(), model.parameters(), strict=True):
        assert torch.allclose(parameter, wanted, atol=1e-5)


def test_alpha_one_ignores_labels_and_alpha_zero_ignores_the_teacher() -> None:
    data = training_set()
    assert data.signals is not None
    other_labels = dataclasses.replace(data, targets=data.targets.flip(0))
    other_teacher = dataclasses.replace(data, signals=-data.signals)
    for recipe, changed in ((KL, other_labels), (MSE, other_labels), (LABELS, other_teacher)):
        first, second = distiller(recipe, data=data), distiller(recipe, data=changed)
        first.advance(24)
        second.advance(24)
        assert torch.equal(weights(first), weights(second))


def test_every_epoch_sees_each_sample_once_with_its_own_signal() -> None:
    """Each sample's input, target and signal carry its id; they must arrive together, in a new order every epoch."""
    n = 21
    marks = torch.arange(n, dtype=torch.float32)
    data = TrainingSet(torch.arange(n), marks.view(n, 1), torch.arange(n), n, marks.view(n, 1).repeat(1, n))
    batches = list(Batches(data, None, 8, seed=0, device=CPU).between(0, 9))
    assert [len(batch) for batch in batches] == [8, 8, 5] * 3
    epochs = []
    for epoch in range(3):
        seen = []
        for batch in batches[3 * epoch : 3 * epoch + 3]:
            assert batch.signals is not None
            assert batch.inputs[:, 0].long().tolist() == batch.targets.tolist() == batch.signals[:, 5].long().tolist()
            seen += batch.targets.tolist()
        assert sorted(seen) == list(range(n))
        epochs.append(tuple(seen))
    assert len(set(epochs)) == 3


def test_a_batch_is_never_larger_than_the_data() -> None:
    student = distiller(batch_size=64, epochs=5, steps=None)
    assert (student.steps_per_epoch, student.total_steps) == (1, 5)


@pytest.mark.parametrize(("budget", "steps"), [({"epochs": 4}, 12), ({"steps": 7}, 7), ({}, 1000)])
def test_budget(budget: dict[str, Any], steps: int) -> None:
    settings: dict[str, Any] = {"steps": None} | budget
    assert distiller(**settings).total_steps == steps


def test_the_recipe_overrides_training() -> None:
    recipe = dataclasses.replace(KL, training={"learning_rate": 0.01, "weight_decay": 0.1})
    overridden = distiller(recipe)
    plain = distiller(learning_rate=0.01, weight_decay=0.1)
    overridden.advance(24)
    plain.advance(24)
    assert torch.equal(weights(overridden), weights(plain))


def test_a_teacher_is_needed() -> None:
    with pytest.raises(ValueError, match="needs a teacher's signals"):
        distiller(KL, data=dataclasses.replace(training_set(), signals=None))


def test_signals_that_do_not_fit_are_refused() -> None:
    data = training_set()
    assert data.signals is not None
    with pytest.raises(ValueError, match="one entry per sample"):
        dataclasses.replace(data, signals=data.signals[:-1])


def test_a_diverging_loss_ends_the_training_at_its_step() -> None:
    student = distiller(MSE, learning_rate=1e6, gradient_clip=None, steps=100)
    with pytest.raises(NonFiniteLossError) as error:
        student.advance(100)
    assert 0 < error.value.step < 100
    assert str(error.value.step) in str(error.value)


def test_gradient_clipping_keeps_it_finite() -> None:
    student = distiller(MSE, learning_rate=1.0, gradient_clip=0.1, steps=100)
    student.advance(100)
    assert student.evaluate(evaluation_set()).metrics["train_loss"] < 1e6


def test_stops_when_told_to() -> None:
    student = distiller()
    student.advance(24, should_stop=lambda: student.step >= 5)
    assert student.step == 5 and not student.is_done


def test_a_models_random_draws_leave_torchs_alone() -> None:
    student = distiller(model=DROPOUT)
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    student.advance(10)
    assert torch.equal(torch.rand(2), expected)


def test_the_metrics_of_an_evaluation() -> None:
    student = distiller()
    student.advance(12)
    middle = student.evaluate(evaluation_set())
    assert set(middle.metrics) == {"val_accuracy", "val_balanced_accuracy", "val_nll", "train_loss"}
    assert middle.epoch == 4
    student.advance(24)
    last = student.evaluate(evaluation_set())
    with_teacher = {"agreement", "hellinger", "kl_to_teacher", "label_loss_variance", "teacher_loss_variance"}
    final = {f"val_{name}" for name in ("brier", "ece", "worst_class_gap", *with_teacher)}
    assert set(last.metrics) == {*middle.metrics, *final}
    assert student.series == [middle, last]
