"""A trial's replicates, trained as one model where they can be and in turn where they cannot."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import cast

import pytest
import torch

from kdsearch.config.schema import ModelConfig
from kdsearch.distiller import Distiller
from kdsearch.distiller import new_distiller
from kdsearch.recipe import FeatureRecipe
from kdsearch.recipe import Recipe
from kdsearch.search.lockstep import Lockstep
from kdsearch.search.slot_run import SlotRun
from tests.distiller.samples import CPU
from tests.distiller.samples import DROPOUT
from tests.distiller.samples import KL
from tests.distiller.samples import MLP
from tests.distiller.samples import distiller
from tests.distiller.samples import evaluation_set
from tests.distiller.samples import weights
from tests.distiller.test_options import CONVOLUTIONAL
from tests.distiller.test_options import images
from tests.distiller.test_options import network
from tests.distiller.test_options import with_answers

FEATURE = Recipe("kl", 0.5, {"temperature": 2.0}, feature=FeatureRecipe("fitnet", 1.0))


class Trial:
    """What `Lockstep` asks of a `SlotRun`."""

    def __init__(self, students: Sequence[Distiller]) -> None:
        self.distillers = students


def lockstep(students: Sequence[Distiller]) -> tuple[Lockstep, SlotRun]:
    trial = cast(SlotRun, Trial(students))
    return Lockstep([trial], batched=True), trial


def plain(recipe: Recipe = KL, model: ModelConfig = MLP, **changes: Any) -> Callable[[int], Distiller]:
    return lambda seed: distiller(recipe, model, seed=seed, **changes)


def with_features(seed: int) -> Distiller:
    data = with_answers(images(), [network(CONVOLUTIONAL)], feature="fitnet")
    settings = distiller(KL).training
    return new_distiller(CONVOLUTIONAL, FEATURE, settings, data, seed=seed, device=CPU)


def never() -> bool:
    return False


def train(steps: Lockstep, trial: SlotRun, until: Sequence[int]) -> None:
    for step in until:
        assert steps.advance(step, never) == {}


@pytest.mark.parametrize(
    "make",
    [
        plain(model=ModelConfig(name="own", _target_="tests.distiller.test_packed.WithNorm")),
        plain(model=DROPOUT),
        plain(micro_batch_size=4),
        with_features,
    ],
    ids=["BatchNorm", "dropout", "micro-batches", "a feature objective"],
)
def test_what_cannot_be_one_model_is_trained_to_the_bit_as_alone(make: Callable[[int], Distiller]) -> None:
    replicates, alone = [make(seed) for seed in range(2)], [make(seed) for seed in range(2)]
    steps, trial = lockstep(replicates)
    train(steps, trial, replicates[0].evaluation_steps)
    for single, together in zip(alone, replicates, strict=True):
        single.advance(single.total_steps)
        assert torch.equal(weights(together), weights(single))


def test_replicates_that_stand_apart_meet_and_go_on_as_one() -> None:
    """As after a stop in the turn of the second."""
    replicates, alone = [plain()(seed) for seed in range(3)], [plain()(seed) for seed in range(3)]
    replicates[0].advance(5)
    replicates[1].advance(2)
    steps, trial = lockstep(replicates)
    first, *others = replicates[0].evaluation_steps
    train(steps, trial, [first])
    assert [student.step for student in replicates] == [first] * 3
    assert steps.evaluate({trial: evaluation_set()}, first) == {}
    train(steps, trial, others)
    assert all(len(student.series) == 1 for student in replicates)
    shared = {student.parameters.vectors[0].untyped_storage().data_ptr() for student in replicates}
    assert len(shared) == 1, "they are rows of one matrix"
    for single, together in zip(alone, replicates, strict=True):
        single.advance(single.total_steps)
        assert torch.allclose(weights(together), weights(single), atol=1e-5)
