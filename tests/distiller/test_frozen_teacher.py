"""Whatever a student learns from, its teacher stays as it was and is in no checkpoint."""

from __future__ import annotations

import pytest
import torch

from kdsearch.config.schema import AugmentationConfig
from kdsearch.config.schema import ModelConfig
from kdsearch.distiller import TrainingSet
from kdsearch.recipe import FeatureRecipe
from kdsearch.recipe import Recipe
from tests.distiller.samples import CNN
from tests.distiller.samples import MIXED
from tests.distiller.samples import MLP
from tests.distiller.teachers import CONVOLUTIONAL
from tests.distiller.teachers import NORMALISED
from tests.distiller.teachers import fingerprint
from tests.distiller.teachers import images
from tests.distiller.teachers import in_the_loop
from tests.distiller.teachers import losses
from tests.distiller.teachers import network
from tests.distiller.teachers import networks
from tests.distiller.teachers import student
from tests.distiller.teachers import tensors
from tests.distiller.teachers import with_answers

FITNET = Recipe("kl", 0.5, {"temperature": 2.0}, feature=FeatureRecipe("fitnet", 1.0))
FLIPPED = AugmentationConfig(mode="online", transforms=("RandomHorizontalFlip",))


@pytest.mark.parametrize("augmentation", [AugmentationConfig(), FLIPPED], ids=["plain", "augmented"])
@pytest.mark.parametrize(
    ("recipe", "model", "count"), [(MIXED, MLP, 1), (MIXED, MLP, 3), (FITNET, CNN, 1)], ids=["one", "three", "fitnet"]
)
def test_a_teacher_in_the_loop_never_changes(
    recipe: Recipe, model: ModelConfig, count: int, augmentation: AugmentationConfig
) -> None:
    teachers = [network(NORMALISED)] if count == 1 else networks(count)
    before = [fingerprint(teacher) for teacher in teachers]
    feature = recipe.feature.objective if recipe.feature else None
    teacher = in_the_loop(teachers, feature=feature)
    answer = teacher.answer(images().inputs)
    trained = student(recipe, images(), teacher, model, augmentation=augmentation, learning_rate=0.3)
    losses(trained)
    again = teacher.answer(images().inputs)
    assert torch.equal(answer.logits, again.logits) and not again.logits.requires_grad
    if feature is not None:
        assert answer.features is not None and again.features is not None
        assert torch.equal(answer.features, again.features) and not again.features.requires_grad
    assert [fingerprint(teacher) for teacher in teachers] == before


def test_a_teacher_that_someone_left_in_training_mode_answers_in_eval_mode() -> None:
    teacher = network(NORMALISED)
    expected = teacher(images().inputs)
    teacher.train().requires_grad_(True)
    before = fingerprint(teacher)
    assert torch.equal(in_the_loop([teacher]).answer(images().inputs).logits, expected)
    assert fingerprint(teacher) == before


def test_a_cache_is_left_as_it_was() -> None:
    data: TrainingSet = with_answers(images(), networks(3))
    assert data.signals is not None
    before = data.signals.clone()
    losses(student(MIXED, data))
    assert torch.equal(data.signals, before)


@pytest.mark.parametrize("in_loop", [True, False])
@pytest.mark.parametrize(
    ("recipe", "model", "count", "names"),
    [
        (MIXED, MLP, 1, set()),
        (MIXED, MLP, 3, set()),
        (FITNET, CNN, 1, {"regressor.weight", "regressor.bias"}),
    ],
    ids=["one", "three", "fitnet"],
)
def test_a_checkpoint_holds_the_student_alone(
    recipe: Recipe, model: ModelConfig, count: int, names: set[str], in_loop: bool
) -> None:
    """By names and by numbers: weights, one momentum for each, and the random state; nothing else."""
    teachers = [network(CONVOLUTIONAL)] if count == 1 else networks(count)
    feature = recipe.feature.objective if recipe.feature else None
    if in_loop:
        trained = student(recipe, images(), in_the_loop(teachers, feature=feature), model)
    else:
        trained = student(recipe, with_answers(images(), teachers, feature=feature), model=model)
    trained.advance(5)
    state = trained.state_dict()
    assert set(state["model"]) == set(trained.model.state_dict())
    assert {name for name in state["feature"] if "regressor" in name} == set(state["feature"])
    assert len(state["feature"]) == len(names)
    trainable = sum(t.numel() for t in tensors([state["model"], state["feature"]]))
    assert sum(tensor.numel() for tensor in tensors(state["optimizer"])) == trainable
    random_state = torch.get_rng_state().numel()
    assert sum(tensor.numel() for tensor in tensors(state)) == 2 * trainable + random_state
    everything = {tensor.numpy().tobytes() for tensor in tensors(state)}
    of_teachers = {t.numpy().tobytes() for teacher in teachers for t in teacher.state_dict().values() if t.numel() > 4}
    assert not everything & of_teachers
