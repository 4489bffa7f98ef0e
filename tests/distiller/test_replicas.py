"""A student whose batches are shared among devices learns what it learns on one. The devices here are all the CPU."""

from __future__ import annotations

import logging

import pytest
import torch

from kdsearch.recipe import FeatureRecipe
from kdsearch.recipe import Recipe
from kdsearch.search.prepare import training_devices
from tests.distiller.samples import CNN
from tests.distiller.samples import DROPOUT
from tests.distiller.samples import KL
from tests.distiller.samples import LABELS
from tests.distiller.samples import MIXED
from tests.distiller.samples import MLP
from tests.distiller.samples import weights
from tests.distiller.teachers import CONVOLUTIONAL
from tests.distiller.teachers import NORMALISED
from tests.distiller.teachers import images
from tests.distiller.teachers import in_the_loop
from tests.distiller.teachers import losses
from tests.distiller.teachers import network
from tests.distiller.teachers import networks
from tests.distiller.teachers import student
from tests.distiller.teachers import users
from tests.distiller.teachers import with_answers
from tests.distiller.test_continue import through_a_file

DATA = with_answers(images(), networks(1))
FITNET = Recipe("kl", 0.5, {"temperature": 2.0}, feature=FeatureRecipe("fitnet", 1.0))


@pytest.mark.parametrize("devices", [2, 3])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("recipe", [LABELS, KL, MIXED, FITNET], ids=lambda r: r.label())
def test_several_devices_learn_what_one_does(recipe: Recipe, optimizer: str, devices: int) -> None:
    """Over a whole training, whose last batch of an epoch is a short one."""
    data = with_answers(images(unlabelled=4), [network(CONVOLUTIONAL)], feature="fitnet")
    one, several = (student(recipe, data, model=CNN, optimizer=optimizer, devices=count) for count in (1, devices))
    assert losses(several) == pytest.approx(losses(one), rel=1e-4)
    assert torch.allclose(weights(several), weights(one), atol=1e-4)
    states = [trained.state_dict()["feature"] for trained in (one, several)]
    assert all(torch.allclose(states[0][name], states[1][name], atol=1e-4) for name in states[0])


def test_each_device_has_its_own_part_of_a_batch(caplog: pytest.LogCaptureFixture) -> None:
    """Memory for 4 of 8 samples is enough with two, and each halves its part where it is not."""
    with caplog.at_level(logging.WARNING, "kdsearch"):
        student(MIXED, DATA, model=users("Hungry", most=4), devices=2).advance(1)
        assert not caplog.records
        trained = student(MIXED, DATA, model=users("Hungry", most=3), devices=2)
        trained.advance(1)
    assert trained.micro_batch_size == 2 and len(caplog.records) == 1


def test_batches_are_normalised_by_parts_as_with_micro_batches() -> None:
    """The weights are the same; the running statistics are those of the first device, as in DDP."""
    one = student(MIXED, DATA, model=NORMALISED, batch_size=7, micro_batch_size=4)
    two = student(MIXED, DATA, model=NORMALISED, batch_size=7, devices=2)
    one.advance(one.total_steps)
    two.advance(two.total_steps)
    pairs = zip(one.model.parameters(), two.model.parameters(), strict=True)
    assert all(torch.allclose(first, second, atol=1e-5) for first, second in pairs)


def test_a_teacher_in_the_loop() -> None:
    data = images()
    one, two = (student(KL, data, in_the_loop(networks(1)), model=CNN, devices=count) for count in (1, 2))
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)


@pytest.mark.parametrize("then", [1, 2, 3])
def test_goes_on_with_another_number_of_devices(then: int) -> None:
    whole, first, second = (student(MIXED, DATA, model=MLP, devices=count) for count in (2, 2, then))
    expected = losses(whole)
    begun = losses(first, 7)
    second.load_state_dict(through_a_file(first.state_dict()))
    found = begun + losses(second)
    assert found == (expected if then == 2 else pytest.approx(expected, rel=1e-4))


def test_what_is_drawn_at_random_is_repeated() -> None:
    first, again = (student(MIXED, DATA, model=DROPOUT, devices=2) for _ in range(2))
    assert losses(first) == losses(again)
    assert torch.equal(weights(first), weights(again))


def test_is_not_packed() -> None:
    assert student(KL, DATA).is_plain and not student(KL, DATA, devices=2).is_plain


def test_a_worker_has_as_many_devices_as_gpus() -> None:
    assert [str(device) for device in training_devices("cuda", 2)] == ["cuda", "cuda:1"]
    assert [str(device) for device in training_devices("cuda", 0.25)] == ["cuda"]
    assert [str(device) for device in training_devices("cpu", 0)] == ["cpu"]
