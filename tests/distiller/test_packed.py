"""Students trained as one batched model are the students that each would have been alone."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import nn

from kdsearch.config.schema import ModelConfig
from kdsearch.distiller import Distiller
from kdsearch.distiller import EvaluationSet
from kdsearch.distiller import TrainingSet
from kdsearch.distiller import new_distiller
from kdsearch.distiller.packed import PackedDistiller
from kdsearch.distiller.packed import can_pack
from kdsearch.distiller.sets import UNLABELLED
from kdsearch.objectives import SPECS
from kdsearch.recipe import Recipe
from tests.distiller.samples import CNN
from tests.distiller.samples import CPU
from tests.distiller.samples import DROPOUT
from tests.distiller.samples import KL
from tests.distiller.samples import LABELS
from tests.distiller.samples import MLP
from tests.distiller.samples import MSE
from tests.distiller.samples import evaluation_set
from tests.distiller.samples import training
from tests.distiller.samples import training_set
from tests.distiller.samples import weights

RECIPES = [
    *(Recipe(name, 0.7) for name in SPECS),
    Recipe("kl", 1.0, {"temperature": 9.0}),
    LABELS,
    Recipe("labels", 0.0, label_smoothing=0.2),
    Recipe(
        "kl", 0.5, {"temperature": 3.0, "standardize": True}, training={"learning_rate": 0.03, "weight_decay": 0.01}
    ),
    Recipe("dkd", 0.9, {"temperature": 2.0, "nontarget_weight": 4.0, "warmup": 0.4}),
]
STEPS = 50
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"learning_rate": 0.05},
    "sgd without momentum": {"learning_rate": 0.05, "momentum": 0.0, "gradient_clip": None},
    "adamw": {"optimizer": "adamw", "learning_rate": 0.003},
}


def students(
    recipes: Sequence[Recipe],
    model: ModelConfig = MLP,
    data: Sequence[TrainingSet] | None = None,
    **changes: Any,
) -> list[Distiller]:
    settings = training(**{"steps": STEPS, **changes})
    sets = data or [training_set(37)] * len(recipes)
    return [
        new_distiller(model, recipe, settings, own, seed=seed, device=CPU)
        for seed, (recipe, own) in enumerate(zip(recipes, sets, strict=True))
    ]


def never() -> bool:
    return False


def losses(distiller: Distiller) -> list[float]:
    """Of every step, as it trains alone to the end."""
    found = []
    for step in range(1, distiller.total_steps + 1):
        before = distiller._loss_sum
        distiller.advance(step)
        found.append(distiller._loss_sum - before)
    return found


@pytest.mark.parametrize("model", [MLP, CNN], ids=["batched products", "vmap"])
@pytest.mark.parametrize("settings", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_every_step_is_that_of_each_alone(model: ModelConfig, settings: dict[str, Any]) -> None:
    """37 samples in batches of 8: the last batch of each epoch is short."""
    alone, packed = students(RECIPES, model, **settings), students(RECIPES, model, **settings)
    assert can_pack(packed)
    pack = PackedDistiller(packed)
    found: list[list[float]] = [[] for _ in packed]
    for step in range(1, STEPS + 1):
        before = [distiller._loss_sum for distiller in packed]
        assert pack.advance(step, never) == {}
        for own, distiller, sum_before in zip(found, packed, before, strict=True):
            own.append(distiller._loss_sum - sum_before)
    for single, together, own in zip(alone, packed, found, strict=True):
        assert own == pytest.approx(losses(single), abs=1e-4), single.recipe.label()
        assert torch.allclose(weights(together), weights(single), atol=1e-4), single.recipe.label()


def test_scores_are_those_of_each_alone() -> None:
    alone, packed = students(RECIPES), students(RECIPES)
    pack = PackedDistiller(packed)
    for step in alone[0].evaluation_steps:
        pack.advance(step, never)
        assert pack.evaluate([evaluation_set()] * len(packed)) == {}
        for distiller in alone:
            distiller.advance(step)
            distiller.evaluate(evaluation_set())
    for single, together in zip(alone, packed, strict=True):
        assert [point.epoch for point in together.series] == [point.epoch for point in single.series]
        for ours, theirs in zip(together.series, single.series, strict=True):
            assert ours.metrics == pytest.approx(dict(theirs.metrics), abs=1e-4)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_student_goes_on_alone_or_in_another_pack(optimizer: str) -> None:
    settings: dict[str, Any] = {"optimizer": optimizer, "learning_rate": 0.01}
    recipes = [KL, MSE, LABELS]
    whole = students(recipes, **settings)
    for distiller in whole:
        distiller.advance(STEPS)
    first = students(recipes, **settings)
    PackedDistiller(first).advance(20, never)
    states = [distiller.state_dict() for distiller in first]

    later = students(recipes, **settings)
    for distiller, state in zip(later, states, strict=True):
        distiller.load_state_dict(state)
    later[0].advance(STEPS)
    PackedDistiller(later[1:]).advance(STEPS, never)

    # those that were in the first pack go on as well, without what has left
    first[2].advance(STEPS)
    PackedDistiller(first[:2]).advance(STEPS, never)
    for single, continued, stayed in zip(whole, later, first, strict=True):
        assert torch.allclose(weights(continued), weights(single), atol=1e-5)
        assert torch.allclose(weights(stayed), weights(single), atol=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_checkpoint_in_a_pack_is_as_large_as_one_of_a_student_alone(optimizer: str) -> None:
    settings: dict[str, Any] = {"optimizer": optimizer, "learning_rate": 0.01}
    alone, packed = students([KL], **settings)[0], students([KL] * 16, **settings)
    alone.advance(3)
    PackedDistiller(packed).advance(3, never)
    assert _saved_bytes(packed[0]) == pytest.approx(_saved_bytes(alone), rel=0.05)


def _saved_bytes(distiller: Distiller) -> int:
    buffer = io.BytesIO()
    torch.save(distiller.state_dict(), buffer)
    return len(buffer.getvalue())


def test_each_has_its_own_samples_signals_and_unlabelled_ones() -> None:
    """As the confirmations of several subsets, and students of several teachers."""
    first, second = training_set(37, seed=0), training_set(37, seed=5)
    other_teacher = dataclasses.replace(first, signals=torch.randn(37, 3, generator=torch.Generator().manual_seed(9)))
    hidden = torch.where(torch.arange(37) % 3 == 0, UNLABELLED, first.targets)
    unlabelled = dataclasses.replace(first, targets=hidden)
    sets = [first, second, other_teacher, unlabelled, unlabelled]
    recipes = [KL, KL, KL, Recipe("dkd", 0.6), Recipe("kl", 0.6, {"temperature": 2.0}, label_smoothing=0.1)]
    alone, packed = students(recipes, data=sets), students(recipes, data=sets)
    PackedDistiller(packed).advance(STEPS, never)
    for single, together in zip(alone, packed, strict=True):
        single.advance(STEPS)
        assert torch.allclose(weights(together), weights(single), atol=1e-5)


def test_one_that_diverges_harms_no_other() -> None:
    bad = Recipe("mse", 1.0, training={"learning_rate": 1e9})
    settings: dict[str, Any] = {"gradient_clip": None, "learning_rate": 0.01}
    alone, packed = students([KL, bad, LABELS], **settings), students([KL, bad, LABELS], **settings)
    failures = PackedDistiller(packed).advance(STEPS, never)
    assert list(failures) == [packed[1]]
    with pytest.raises(type(failures[packed[1]])) as raised:
        alone[1].advance(STEPS)
    assert failures[packed[1]].step == raised.value.step
    for index in (0, 2):
        alone[index].advance(STEPS)
        assert torch.allclose(weights(packed[index]), weights(alone[index]), atol=1e-5)


def test_outputs_that_are_not_finite_are_told_of_their_student() -> None:
    packed = students([KL, MSE])
    pack = PackedDistiller(packed)
    pack.advance(4, never)
    with torch.no_grad():
        next(packed[1].model.parameters()).fill_(float("nan"))
    assert list(pack.evaluate([evaluation_set()] * 2)) == [packed[1]]


def test_it_stops_after_the_step_at_which_it_is_told_to() -> None:
    packed = students([KL, MSE])
    pack = PackedDistiller(packed)
    asked = iter([False, False, True])
    pack.advance(STEPS, lambda: next(asked))
    assert pack.step == 3 and [distiller.step for distiller in packed] == [3, 3]


def test_scoring_uses_the_weights_that_the_pack_trains() -> None:
    packed = students([KL, MSE])
    pack = PackedDistiller(packed)
    pack.advance(10, never)
    data: EvaluationSet = evaluation_set()
    pack.evaluate([data] * 2)
    for distiller in packed:
        again = distiller.task.metrics(distiller.model(data.inputs), data.targets)
        assert again["accuracy"] == distiller.series[-1].metrics["val_accuracy"]


class WithNorm(nn.Sequential):
    def __init__(self, input_shape: tuple[int, ...], class_count: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(16, 4), nn.BatchNorm1d(4), nn.Linear(4, class_count))


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        (DROPOUT, {}),
        (ModelConfig(name="own", _target_="tests.distiller.test_packed.WithNorm"), {}),
        (MLP, {"precision": "bf16"}),
        (MLP, {"micro_batch_size": 4}),
        (MLP, {"channels_last": True}),
    ],
)
def test_what_cannot_be_packed(model: ModelConfig, changes: dict[str, Any]) -> None:
    assert not can_pack(students([KL, MSE], model, **changes))


def test_students_of_different_sizes_or_places_are_not_packed() -> None:
    other = students([MSE], ModelConfig(name="mlp", hidden=(9,)))
    assert not can_pack([*students([KL]), *other])
    ahead = students([KL, MSE])
    ahead[1].advance(1)
    assert not can_pack(ahead)
    assert not can_pack([*students([KL]), *students([MSE], data=[training_set(40)])])
