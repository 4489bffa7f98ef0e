"""Samples without a label: only the teacher says something about them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from kdsearch.objectives import soft_loss
from kdsearch.recipe import Recipe
from tests.distiller.samples import KL
from tests.distiller.samples import LABELS
from tests.distiller.samples import MIXED
from tests.distiller.samples import weights
from tests.distiller.teachers import images
from tests.distiller.teachers import losses
from tests.distiller.teachers import networks
from tests.distiller.teachers import student
from tests.distiller.teachers import with_answers

UNLABELLED = with_answers(images(unlabelled=9), networks(1))
LABELLED = 12
NKD = Recipe("nkd", 0.6, {"temperature": 2.0})
STILL: dict[str, Any] = {"learning_rate": 1e-30, "weight_decay": 0, "momentum": 0, "steps": 3, "schedule": "constant"}


@pytest.mark.parametrize(
    "recipe", [MIXED, NKD, Recipe("mse", 0.3, label_smoothing=0.2), LABELS], ids=lambda r: r.label()
)
def test_over_an_epoch_the_loss_is_the_labelled_mean_and_the_teachers_mean(recipe: Recipe) -> None:
    """A student that stands still goes once over batches of 8, 8 and 5; each sample counts alike."""
    trained = student(recipe, UNLABELLED, **STILL)
    assert trained.batches.per_epoch == 3
    found = losses(trained)
    epoch = sum(loss * size for loss, size in zip(found, (8, 8, 5), strict=True)) / 21
    data = UNLABELLED
    outputs = trained.model(data.inputs)
    hard = F.cross_entropy(
        outputs[:LABELLED], data.targets[:LABELLED], label_smoothing=recipe.label_smoothing, reduction="sum"
    )
    expected = (1 - recipe.alpha) * hard / LABELLED
    if recipe.alpha:
        assert data.signals is not None
        labels = torch.cat([data.targets[:LABELLED], data.signals[LABELLED:].argmax(dim=-1)])
        soft = soft_loss(recipe.objective, outputs, data.signals, labels, **recipe.hyperparameters)
        expected = expected + recipe.alpha * soft.mean()
    assert epoch == pytest.approx(expected.item(), rel=1e-5)


def test_a_batch_without_any_label_has_no_share_in_the_cross_entropy() -> None:
    data = with_answers(images(unlabelled=20), networks(1))
    almost_labels = Recipe("kl", 1e-12, {"temperature": 1.0})
    found = losses(student(almost_labels, data, **STILL))
    assert sorted(value > 1e-3 for value in found) == [False, False, True]
    trained = student(LABELS, data, batch_size=1, steps=21)
    assert all(value == value for value in losses(trained))


def test_a_budget_in_epochs_counts_the_labelled_ones() -> None:
    """A student with unlabelled samples has as many steps as its rival that learns from the labels alone."""
    trained = student(MIXED, UNLABELLED, epochs=4, steps=None)
    assert (trained.total_steps, trained.batches.per_epoch) == (4 * 2, 3)


def test_all_labelled_is_the_plain_loss() -> None:
    plain = losses(student(MIXED, with_answers(images(), networks(1))))
    assert plain != losses(student(MIXED, UNLABELLED))


def test_alpha_one_does_not_care_which_samples_have_labels() -> None:
    all_labelled, some = student(KL, with_answers(images(), networks(1))), student(KL, UNLABELLED)
    all_labelled.advance(24)
    some.advance(24)
    assert torch.equal(weights(all_labelled), weights(some))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_micro_batches_scale_the_labels_right(size: int) -> None:
    whole, parts = (student(MIXED, UNLABELLED, micro_batch_size=s) for s in (None, size))
    assert losses(parts) == pytest.approx(losses(whole), rel=1e-4)


def test_counts() -> None:
    assert UNLABELLED.labelled_count == LABELLED
    assert dataclasses.replace(UNLABELLED, targets=UNLABELLED.targets.abs()).labelled_count == 21
