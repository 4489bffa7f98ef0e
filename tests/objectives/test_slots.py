"""A pack's losses in one call: hyperparameters that differ between slots."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kdsearch.objectives import SPECS
from kdsearch.objectives import soft_loss
from tests.objectives.cases import LABELS
from tests.objectives.cases import random_logits

STUDENT, TEACHER = random_logits(3, 4, 5, seed=1), random_logits(4, 5, seed=2)


def three_values(name: str) -> dict[str, Any]:
    """For every hyperparameter of the objective, one value for each of three slots."""
    return {
        p.name: torch.tensor([True, False, True])
        if p.switch
        else torch.tensor([p.low, p.default, p.high], dtype=torch.float64)
        for p in SPECS[name].parameters
    }


@pytest.mark.parametrize("name", SPECS)
def test_a_value_per_slot_equals_one_loss_after_another(name: str) -> None:
    values = three_values(name)
    packed = soft_loss(name, STUDENT, TEACHER, LABELS, progress=0.1, **values)
    assert packed.shape == (3, 4)
    for slot in range(3):
        own: dict[str, Any] = {key: value[slot].item() for key, value in values.items()}
        alone = soft_loss(name, STUDENT[slot], TEACHER, LABELS, progress=0.1, **own)
        assert torch.allclose(packed[slot], alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", SPECS)
def test_axes_of_size_one_behind_the_slots_do_not_count(name: str) -> None:
    values = three_values(name)
    column: dict[str, Any] = {key: value.view(3, 1, 1) for key, value in values.items()}
    packed = soft_loss(name, STUDENT, TEACHER.expand(3, 4, 5), LABELS.expand(3, 4), **column)
    assert torch.equal(packed, soft_loss(name, STUDENT, TEACHER, LABELS, **values))


@pytest.mark.parametrize("name", SPECS)
def test_a_value_in_a_tensor_of_no_axes(name: str) -> None:
    defaults = SPECS[name].defaults()
    tensors: dict[str, Any] = {key: torch.tensor(value, dtype=torch.float64) for key, value in defaults.items()}
    as_tensor = soft_loss(name, STUDENT, TEACHER, LABELS, **tensors)
    assert as_tensor.shape == (3, 4)
    assert torch.allclose(as_tensor, soft_loss(name, STUDENT, TEACHER, LABELS), rtol=1e-12)


@pytest.mark.parametrize("key", ["temperature", "standardize"])
def test_one_value_per_sample_is_refused_where_it_makes_no_sense(key: str) -> None:
    values: dict[str, Any] = {key: torch.ones(4)}
    with pytest.raises(ValueError, match="slot axes only"):
        soft_loss("kl", STUDENT[0], TEACHER, LABELS, **values)


def test_a_weight_with_more_axes_than_the_losses_is_refused() -> None:
    with pytest.raises(ValueError, match="slot axes and that of samples only"):
        soft_loss("dkd", STUDENT[0], TEACHER, LABELS, target_weight=torch.ones(4, 5))
