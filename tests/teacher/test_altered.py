"""Teachers that are none: what they take away, and what they leave."""

from __future__ import annotations

import math

import pytest
import torch

from kdsearch.models import head_of
from kdsearch.teacher.altered import permuted
from kdsearch.teacher.altered import shuffles
from kdsearch.teacher.altered import smoothed_logits
from kdsearch.teacher.altered import with_random_head
from tests.distiller.teachers import NORMALISED
from tests.distiller.teachers import fingerprint
from tests.distiller.teachers import images
from tests.distiller.teachers import network

TARGETS = torch.tensor([2, 0, 4, 1])
LOGITS = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))


def test_smoothed_logits_know_the_label_and_nothing_else() -> None:
    logits = smoothed_logits(torch.tensor([1, 0]), 3)
    sure, rest = math.log(0.99), math.log(0.005)
    assert logits.tolist() == [pytest.approx([rest, sure, rest]), pytest.approx([sure, rest, rest])]
    assert logits.softmax(dim=-1).sum(dim=-1).tolist() == pytest.approx([1.0, 1.0])
    assert smoothed_logits(torch.tensor([0]), 2).softmax(-1).tolist() == [pytest.approx([0.99, 0.01])]


def test_shuffles_keep_one_class_and_permute_the_others() -> None:
    kept = torch.arange(5).repeat(40)
    orders = shuffles(kept, 5, seed=3)
    assert orders.dtype == torch.int64 and orders.shape == (200, 5)
    assert torch.equal(orders.sort(dim=1).values, torch.arange(5).expand(200, 5))
    assert torch.equal(orders.gather(1, kept.unsqueeze(1)).squeeze(1), kept)
    by_class = [{tuple(order) for order in orders[kept == c].tolist()} for c in range(5)]
    assert all(len(found) > 12 for found in by_class)  # of 4! = 24 orders, in 40 draws
    assert torch.equal(shuffles(kept, 5, seed=3), orders)
    assert not torch.equal(shuffles(kept, 5, seed=4), orders)


def test_every_order_is_as_likely() -> None:
    orders = shuffles(torch.zeros(6000, dtype=torch.long), 4, seed=0)
    _, counts = orders.unique(dim=0, return_counts=True)
    assert len(counts) == 6 and counts.min() > 850 and counts.max() < 1150


def test_two_classes_leave_nothing_to_shuffle() -> None:
    assert shuffles(torch.tensor([0, 1]), 2, seed=0).tolist() == [[0, 1], [0, 1]]


def test_permuted_answers_keep_their_confidence() -> None:
    orders = shuffles(TARGETS, 5, seed=1)
    changed = permuted(LOGITS, orders)
    index = TARGETS.unsqueeze(1)
    assert torch.equal(changed.gather(1, index), LOGITS.gather(1, index))
    assert torch.equal(changed.sort(dim=1).values, LOGITS.sort(dim=1).values)
    assert not torch.equal(changed, LOGITS)
    assert permuted(LOGITS, None) is LOGITS


def test_members_and_views_of_a_sample_are_permuted_alike() -> None:
    orders = shuffles(TARGETS, 5, seed=1)
    many = torch.randn(4, 3, 2, 5)
    changed = permuted(many, orders)
    for view in range(3):
        for member in range(2):
            assert torch.equal(changed[:, view, member], permuted(many[:, view, member], orders))


def test_a_random_head_is_all_that_changes() -> None:
    model = network(NORMALISED)
    before = fingerprint(model)
    torch.manual_seed(8)
    state = torch.get_rng_state()
    altered = with_random_head(model, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert fingerprint(model) == before
    differing = {n for n, t in altered.state_dict().items() if not torch.equal(t, model.state_dict()[n])}
    assert differing == {"head.weight", "head.bias"}
    assert not altered.training and not any(parameter.requires_grad for parameter in altered.parameters())
    again, other = with_random_head(model, seed=1), with_random_head(model, seed=2)
    assert torch.equal(head_of(again).weight, head_of(altered).weight)
    assert not torch.equal(head_of(other).weight, head_of(altered).weight)
    assert not torch.equal(altered(images().inputs), model(images().inputs))
