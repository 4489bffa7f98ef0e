"""Cached = online: a teacher in the loop and its answers from a cache teach the same."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from kdsearch.augmentation import Augmentation
from kdsearch.augmentation import make_bank
from kdsearch.config.schema import AugmentationConfig
from kdsearch.distiller import TrainingSet
from kdsearch.distiller import with_bank
from kdsearch.objectives import soft_loss
from kdsearch.recipe import FeatureRecipe
from kdsearch.recipe import Recipe
from kdsearch.teacher.altered import shuffles
from tests.distiller.samples import CNN
from tests.distiller.samples import KL
from tests.distiller.samples import MIXED
from tests.distiller.samples import MSE
from tests.distiller.samples import weights
from tests.distiller.teachers import CLASSES
from tests.distiller.teachers import CONVOLUTIONAL
from tests.distiller.teachers import NORMALISED
from tests.distiller.teachers import images
from tests.distiller.teachers import in_the_loop
from tests.distiller.teachers import losses
from tests.distiller.teachers import network
from tests.distiller.teachers import networks
from tests.distiller.teachers import student
from tests.distiller.teachers import with_answers
from tests.distiller.test_continue import through_a_file

SHIFT: dict[str, dict[str, Any]] = {"RandomCrop": {"size": 8, "padding": 2}}
DKD = Recipe("dkd", 0.6, {"temperature": 3.0, "warmup": 0.5})
DIST = Recipe("dist", 0.9, {"temperature": 2.0})
RLD = Recipe("rld", 0.8)
DEFAULT_TEMPERATURE = Recipe("kl", 1.0)


def both(recipe: Recipe, data: TrainingSet, count: int, **changes: Any) -> tuple[list[float], list[float]]:
    """Losses of all steps: cached and uninterrupted; online, and in the middle of an epoch left and taken up again."""
    teachers = networks(count)
    cached = losses(student(recipe, with_answers(data, teachers), **changes))
    first = student(recipe, data, in_the_loop(teachers), **changes)
    online = losses(first, 10)
    second = student(recipe, data, in_the_loop(teachers), **changes)
    second.load_state_dict(through_a_file(first.state_dict()))
    return cached, online + losses(second)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("recipe", [KL, MIXED, MSE, DKD, DIST, RLD, DEFAULT_TEMPERATURE], ids=lambda r: r.label())
def test_the_same_losses_on_every_batch_and_after_resume(recipe: Recipe, count: int) -> None:
    cached, online = both(recipe, images(), count)
    assert len(cached) == 24 and cached[0] != pytest.approx(cached[3], abs=1e-3)
    assert online == pytest.approx(cached, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("unlabelled", [0, 9])
@pytest.mark.parametrize("micro_batch_size", [None, 3])
@pytest.mark.parametrize("recipe", [KL, MIXED])
def test_unikd_weighs_the_same(recipe: Recipe, micro_batch_size: int | None, unlabelled: int) -> None:
    data = dataclasses.replace(images(unlabelled=unlabelled), weighting="unikd")
    cached, online = both(recipe, data, 3, micro_batch_size=micro_batch_size)
    assert online == pytest.approx(cached, rel=1e-5, abs=1e-5)
    equal, _ = both(recipe, dataclasses.replace(data, weighting="equal"), 3)
    assert cached != pytest.approx(equal, abs=1e-2)


@pytest.mark.parametrize("unlabelled", [0, 9])
@pytest.mark.parametrize("count", [1, 3])
def test_shuffled_answers_are_the_same(count: int, unlabelled: int) -> None:
    data = images(unlabelled=unlabelled)
    kept = data.targets.clamp_min(0)
    data = dataclasses.replace(data, permutations=shuffles(kept, CLASSES, seed=1))
    cached, online = both(KL, data, count)
    assert online == pytest.approx(cached, rel=1e-5, abs=1e-5)
    plain, _ = both(KL, dataclasses.replace(data, permutations=None), count)
    assert cached != pytest.approx(plain, abs=1e-2)


@pytest.mark.parametrize("objective", ["fitnet", "attention", "similarity", "rkd", "cka"])
def test_features_are_the_same(objective: str) -> None:
    recipe = Recipe("kl", 0.5, {"temperature": 2.0}, feature=FeatureRecipe(objective, 2.0))
    teacher = network(CONVOLUTIONAL)
    data = images()
    cached = losses(student(recipe, with_answers(data, [teacher], feature=objective), model=CNN))
    online = losses(student(recipe, data, in_the_loop([teacher], feature=objective), model=CNN))
    assert online == pytest.approx(cached, rel=1e-5, abs=1e-5)


def test_a_cache_that_is_wrong_by_one_sample_would_be_seen() -> None:
    teachers = networks(1)
    data = with_answers(images(), teachers)
    assert data.signals is not None
    rolled = dataclasses.replace(data, signals=data.signals.roll(1, dims=0))
    online = losses(student(KL, images(), in_the_loop(teachers)))
    assert losses(student(KL, rolled)) != pytest.approx(online, abs=1e-2)


@pytest.mark.parametrize("count", [1, 3])
def test_the_teacher_in_the_loop_sees_exactly_the_students_view(count: int) -> None:
    """One step on all samples: its loss is that of the augmented images, which torch's state gives again."""
    teachers, data = networks(count), images()
    augmentation = AugmentationConfig(mode="online", transforms=(SHIFT,))
    trained = student(KL, data, in_the_loop(teachers), batch_size=21, steps=1, augmentation=augmentation)
    reference = student(KL, data, in_the_loop(teachers), batch_size=21, steps=1).model
    stream = trained.state_dict()["random_states"]["cpu"]
    (batch,) = trained.batches.between(0, 1)
    torch.set_rng_state(stream)
    seen = Augmentation([SHIFT])(batch.inputs)
    assert not torch.equal(seen, batch.inputs)
    probabilities = torch.stack([(teacher(seen) / 4).softmax(dim=-1) for teacher in teachers]).mean(dim=0)
    expected = soft_loss("kl", reference(seen), 4 * probabilities.log(), batch.targets, temperature=4.0).mean()
    assert losses(trained) == pytest.approx([expected.item()], rel=1e-5)


@pytest.mark.parametrize("count", [1, 3])
def test_a_banks_cache_holds_what_the_teacher_says_about_each_view(count: int) -> None:
    teachers = networks(count)
    config = AugmentationConfig(mode="bank", views=3, transforms=(SHIFT,))
    data = with_answers(with_bank(images(), config, seed=4), teachers)
    assert data.signals is not None and data.has_members == (count > 1)
    plain = images()
    views = make_bank(plain.inputs, plain.ids, 3, Augmentation([SHIFT]), seed=4)
    for sample in (0, 13, 20):
        for view in range(3):
            alone = in_the_loop(teachers).answer(views[sample, view].unsqueeze(0)).logits[0]
            assert torch.allclose(data.signals[sample, view], alone, atol=1e-5)


@pytest.mark.parametrize("recipe", [KL, MIXED])
def test_each_view_of_a_bank_comes_with_its_own_answer(recipe: Recipe) -> None:
    """A teacher asked about just the views that the batches hold says what the cache says."""
    teachers = networks(3)
    config = AugmentationConfig(mode="bank", views=3, transforms=(SHIFT,))
    data = with_bank(images(), config, seed=4)
    cached = losses(student(recipe, with_answers(data, teachers)))
    online = losses(student(recipe, data, in_the_loop(teachers)))
    assert online == pytest.approx(cached, rel=1e-5)


@pytest.mark.parametrize("model", [CNN, NORMALISED])
def test_online_augmentation_resumes_to_the_bit(model: Any) -> None:
    augmentation = AugmentationConfig(mode="online", transforms=(SHIFT, "RandomHorizontalFlip"))
    settings: dict[str, Any] = {"model": model, "augmentation": augmentation}
    teachers = networks(3)
    whole = student(MIXED, images(), in_the_loop(teachers), **settings)
    expected = losses(whole)
    for step in (1, 10, 23):
        first = student(MIXED, images(), in_the_loop(teachers), **settings)
        begun = losses(first, step)
        torch.manual_seed(step)
        second = student(MIXED, images(), in_the_loop(teachers), **settings)
        second.load_state_dict(through_a_file(first.state_dict()))
        assert begun + losses(second) == expected
        assert torch.equal(weights(second), weights(whole))
