"""Feature objectives in a training: their share of the loss, what is trained with it, and what is left behind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch import nn

from kdsearch.distiller import distill
from kdsearch.errors import InputError
from kdsearch.features import FEATURE_SPECS
from kdsearch.features.defaults import default_layer
from kdsearch.features.tap import FeatureTap
from kdsearch.objectives import soft_loss
from kdsearch.recipe import FeatureRecipe
from kdsearch.recipe import Recipe
from tests.distiller.samples import CNN
from tests.distiller.samples import training
from tests.distiller.samples import weights
from tests.distiller.teachers import CONVOLUTIONAL
from tests.distiller.teachers import NORMALISED
from tests.distiller.teachers import images
from tests.distiller.teachers import in_the_loop
from tests.distiller.teachers import losses
from tests.distiller.teachers import network
from tests.distiller.teachers import networks
from tests.distiller.teachers import student
from tests.distiller.teachers import validation
from tests.distiller.teachers import with_answers
from tests.distiller.test_continue import through_a_file
from tests.features.cases import feature_loss

OBJECTIVES = tuple(FEATURE_SPECS)
ONE_STEP: dict[str, Any] = {"batch_size": 21, "steps": 1, "schedule": "constant", "momentum": 0, "weight_decay": 0}


def recipe(objective: str, alpha: float = 0.5, weight: float = 2.5, **hyperparameters: Any) -> Recipe:
    temperature = {"temperature": 3.0} if alpha else {}
    return Recipe("kl" if alpha else "labels", alpha, temperature, feature=_feature(objective, weight, hyperparameters))


def _feature(objective: str, weight: float, hyperparameters: dict[str, Any]) -> FeatureRecipe:
    return FeatureRecipe(objective, weight, hyperparameters)


def features(model: nn.Module, objective: str, layer: str | None = None) -> tuple[Tensor, Tensor]:
    """Logits and features of the images, in training mode as during a step."""
    inputs = images().inputs
    with FeatureTap(model, layer or default_layer(objective, model, inputs)) as tap:
        logits = model(inputs)
        return logits, tap.take()


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_loss_is_the_base_and_the_weighted_term(objective: str, alpha: float) -> None:
    teacher = network(CONVOLUTIONAL)
    data = with_answers(images(), [teacher], feature=objective)
    trained = student(recipe(objective, alpha), data, model=CNN, **ONE_STEP)
    reference = student(recipe(objective, alpha), data, model=CNN, **ONE_STEP).model
    logits, feature = features(reference, objective)
    _, teacher_feature = features(teacher, objective)
    if objective == "fitnet":
        regressor = trained.state_dict()["feature"]
        weight, bias = (regressor[f"regressor.{name}"] for name in ("weight", "bias"))
        feature = feature @ weight.T + bias
    term = feature_loss(objective, feature, teacher_feature).mean()
    hard = nn.functional.cross_entropy(logits, data.targets)
    soft = soft_loss("kl", logits, data.signals, data.targets, temperature=3.0).mean()  # type: ignore[arg-type]
    expected = (1 - alpha) * hard + alpha * soft + 2.5 * term
    assert term > 1e-4
    assert losses(trained) == pytest.approx([expected.item()], rel=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_training_brings_the_features_nearer(objective: str) -> None:
    data = with_answers(images(), [network(CONVOLUTIONAL)], feature=objective)
    trained = student(recipe(objective, 0.0, weight=10.0), data, model=CNN, steps=150, batch_size=21)
    plain = student(Recipe("labels", 0.0), images(), model=CNN, steps=150, batch_size=21)
    first, *_, last = losses(trained)
    base = losses(plain)
    assert (last - base[-1]) < 0.7 * (first - base[0])


def test_fitnets_regressor_is_trained_and_saved() -> None:
    data = with_answers(images(), [network(CONVOLUTIONAL)], feature="fitnet")
    trained = student(recipe("fitnet"), data, model=CNN)
    before = trained.state_dict()["feature"]
    losses(trained, 10)
    state = trained.state_dict()["feature"]
    assert set(state) == set(before) == {"regressor.weight", "regressor.bias"}
    assert all(not torch.equal(state[name], before[name]) for name in state)
    assert not any("regressor" in name for name in trained.model.state_dict())


def test_the_regressors_first_weights_follow_from_the_seed_alone() -> None:
    data = with_answers(images(), [network(CONVOLUTIONAL)], feature="fitnet")
    states = []
    for seed, stray in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(stray)
        before = torch.get_rng_state()
        states.append(student(recipe("fitnet"), data, model=CNN, seed=seed).state_dict()["feature"]["regressor.weight"])
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(states[0], states[1]) and not torch.equal(states[0], states[2])


@pytest.mark.parametrize("in_loop", [False, True])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_interrupted_and_taken_up_again(objective: str, in_loop: bool) -> None:
    teachers = [network(CONVOLUTIONAL)]
    data = images() if in_loop else with_answers(images(), teachers, feature=objective)

    def begin() -> Any:
        teacher = in_the_loop(teachers, feature=objective) if in_loop else None
        return student(recipe(objective), data, teacher, CNN)

    whole = begin()
    expected = losses(whole)
    first = begin()
    begun = losses(first, 10)
    second = begin()
    second.load_state_dict(through_a_file(first.state_dict()))
    assert begun + losses(second) == expected
    assert torch.equal(weights(second), weights(whole))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_student_carries_no_hook_afterwards(objective: str) -> None:
    data = with_answers(images(), [network(CONVOLUTIONAL)], feature=objective)
    for should_stop in (None, lambda: True):
        result = distill(CNN, recipe(objective), training(), data, validation(), seed=0, should_stop=should_stop)
        assert hooks(result.model) == 0
    trained = student(recipe(objective), data, model=CNN)
    assert hooks(trained.model) == 1
    trained.close()
    assert hooks(trained.model) == 0


def test_named_layers_are_compared() -> None:
    """The student's first stage against the teacher's normalisation."""
    teacher = network(NORMALISED)
    data = with_answers(images(), [teacher], feature="attention", layer="normalisation")
    trained = student(recipe("attention"), data, model=CNN, layer="stage1", **ONE_STEP)
    reference = student(recipe("attention"), data, model=CNN, **ONE_STEP).model
    logits, feature = features(reference, "attention", "stage1")
    _, teacher_feature = features(teacher, "attention", "normalisation")
    hard = nn.functional.cross_entropy(logits, data.targets)
    soft = soft_loss("kl", logits, data.signals, data.targets, temperature=3.0).mean()  # type: ignore[arg-type]
    expected = 0.5 * hard + 0.5 * soft + 2.5 * feature_loss("attention", feature, teacher_feature).mean()
    assert losses(trained) == pytest.approx([expected.item()], rel=1e-5)


def test_hyperparameters_reach_the_objective() -> None:
    data = with_answers(images(), [network(CONVOLUTIONAL)], feature="rkd")
    first = [
        losses(student(recipe("rkd", distance_weight=weight, angle_weight=0.0), data, model=CNN, **ONE_STEP))[0]
        for weight in (0.0, 1.0, 2.0)
    ]
    assert first[2] - first[1] == pytest.approx(first[1] - first[0], rel=1e-3) and first[1] > first[0]
    with pytest.raises(InputError, match="angle"):
        student(recipe("rkd", angle_weight=-1.0), data, model=CNN)


def test_several_teachers_have_no_features() -> None:
    with pytest.raises(InputError, match="feature_objective=fitnet: needs a teacher of one network; this one has 3"):
        in_the_loop(networks(3), feature="fitnet")


def test_a_cache_without_features_is_refused() -> None:
    data = with_answers(images(), [network(CONVOLUTIONAL)])
    with pytest.raises(ValueError, match="fitnet needs a teacher's features"):
        student(recipe("fitnet"), data, model=CNN)
