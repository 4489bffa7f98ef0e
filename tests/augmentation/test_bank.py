"""Views of a bank belong to their sample, and a training walks through them."""

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
from kdsearch.distiller.batches import Batches

SHIFT: dict[str, dict[str, Any]] = {"RandomCrop": {"size": 8, "padding": 3}}
IDS = torch.tensor([7, 3, 40, 12])
IMAGES = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)) + 0.5
CPU = torch.device("cpu")


def bank(images: torch.Tensor = IMAGES, ids: torch.Tensor = IDS, views: int = 5, seed: int = 0) -> torch.Tensor:
    return make_bank(images, ids, views, Augmentation([SHIFT]), seed)


def test_a_samples_views_depend_on_its_id_alone() -> None:
    whole = bank()
    assert whole.shape == (4, 5, 1, 8, 8)
    chosen = torch.tensor([2, 0])
    assert torch.equal(bank(IMAGES[chosen], IDS[chosen]), whole[chosen])
    assert torch.equal(bank(views=3), whole[:, :3])
    same_image = bank(IMAGES[:1].expand(4, -1, -1, -1))
    assert not torch.equal(same_image[0], same_image[1])
    assert not torch.equal(bank(seed=1), whole)


def test_views_of_a_sample_differ() -> None:
    for views in bank(views=8):
        assert len({view.numpy().tobytes() for view in views}) > 4


def test_the_bank_leaves_torchs_random_state() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = bank()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    assert torch.equal(bank(), first)


def test_epochs_choose_their_views() -> None:
    """Each view carries its number; over the epochs a sample is seen in several, and each epoch mixes them."""
    n, views = 40, 6
    marks = torch.arange(n * views, dtype=torch.float32).view(n, views, 1)
    data = TrainingSet(torch.arange(n), marks, torch.arange(n) % 2, 2, marks.expand(-1, -1, 2).clone(), views)
    seen: list[dict[int, int]] = []
    batches = list(Batches(data, None, 16, seed=0, device=CPU).between(0, 30))
    for epoch in range(10):
        chosen: dict[int, int] = {}
        for batch in batches[3 * epoch : 3 * epoch + 3]:
            assert batch.signals is not None
            assert torch.equal(batch.inputs.squeeze(1), batch.signals[:, 0])
            chosen |= {int(mark) // views: int(mark) % views for mark in batch.inputs.squeeze(1)}
        assert sorted(chosen) == list(range(n))
        assert len(set(chosen.values())) > 3
        seen.append(chosen)
    assert all(len({epoch[sample] for epoch in seen}) > 2 for sample in range(n))
    again = next(Batches(data, None, 16, seed=0, device=CPU).between(29, 30))
    assert torch.equal(again.inputs, batches[29].inputs)


@pytest.mark.parametrize("mode", ["none", "online"])
def test_other_modes_leave_the_set(mode: str) -> None:
    data = TrainingSet(IDS, IMAGES, torch.zeros(4, dtype=torch.long), 2, torch.zeros(4, 2))
    transforms = (SHIFT,) if mode == "online" else ()
    config = AugmentationConfig.model_validate({"mode": mode, "transforms": transforms})
    assert with_bank(data, config, 0) is data
    banked = with_bank(data, config.model_copy(update={"mode": "bank", "views": 3, "transforms": (SHIFT,)}), 0)
    assert torch.equal(banked.inputs, bank(views=3)) and banked.input_shape == (1, 8, 8)
    assert banked.signals is None and dataclasses.replace(banked, signals=torch.zeros(4, 3, 2)).views == 3
