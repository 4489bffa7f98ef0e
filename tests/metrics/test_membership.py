"""The loss attack: the area is the share of pairs that it tells apart."""

from __future__ import annotations

import math

import pytest
import torch

from kdsearch.metrics import membership_auc


def losses(count: int, seed: int) -> torch.Tensor:
    return torch.rand(count, generator=torch.Generator().manual_seed(seed))


def test_against_all_pairs() -> None:
    members, others = (10 * losses(40, 0)).round(), (12 * losses(70, 1)).round()  # many ties
    pairs = members[:, None], others[None, :]
    expected = (pairs[0] < pairs[1]).double().mean() + (pairs[0] == pairs[1]).double().mean() / 2
    assert membership_auc(members, others) == pytest.approx(expected.item())


def test_what_is_memorised_is_told_and_what_is_like_fresh_is_not() -> None:
    fresh = losses(5000, 2)
    assert membership_auc(1e-9 * losses(50, 3), fresh + 1e-8) == 1
    assert membership_auc(fresh + 1e-8, 1e-9 * losses(50, 3)) == 0
    assert membership_auc(losses(5000, 4), fresh) == pytest.approx(0.5, abs=0.02)
    assert membership_auc(torch.zeros(3), torch.zeros(9)) == 0.5


def test_small_losses_keep_their_order() -> None:
    assert membership_auc(torch.tensor([1e-9, 2e-9]), torch.tensor([3e-9, 4e-9])) == 1


def test_losses_that_are_no_numbers_are_the_largest() -> None:
    assert membership_auc(torch.tensor([0.1, 0.2]), torch.tensor([math.nan, math.inf])) == 1
    assert membership_auc(torch.tensor([math.nan]), torch.tensor([math.inf])) == 0.5


def test_half_losses() -> None:
    assert membership_auc(torch.tensor([0.5]).bfloat16(), torch.tensor([1.0, 0.25]).bfloat16()) == 0.5
