"""Nested subsets: properties that hold for any labels and seed."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsearch.config.schema import Subset
from kdsearch.data import subset_order

TARGETS = st.lists(st.integers(0, 5), min_size=1, max_size=120).map(lambda labels: np.array(labels, dtype=np.int64))
SEEDS = st.integers(0, 2**63 - 1)


def losses_of(targets: np.ndarray) -> np.ndarray:
    """Some of them equal."""
    return np.random.default_rng(len(targets)).integers(0, 5, len(targets)).astype(np.float32)


@given(TARGETS, SEEDS, st.sampled_from(get_args(Subset)))
def test_an_order_is_a_permutation_and_repeats(targets: np.ndarray, seed: int, how: Subset) -> None:
    order = subset_order(targets, seed, how, losses_of(targets))
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(len(targets)))
    assert np.array_equal(order, subset_order(targets, seed, how, losses_of(targets)))


@given(TARGETS, SEEDS)
def test_balanced_prefixes_have_as_many_of_each_class_as_there_are(targets: np.ndarray, seed: int) -> None:
    members = np.bincount(targets, minlength=6)
    drawn = targets[subset_order(targets, seed, "balanced")]
    for n in range(1, len(drawn) + 1):
        counts = np.bincount(drawn[:n], minlength=6)
        unfinished = counts[counts < members]
        if len(unfinished):
            assert counts.max() - unfinished.min() <= 1


@given(TARGETS, SEEDS, st.sampled_from(["easy", "hard"]))
def test_easy_and_hard_order_each_class_by_loss(targets: np.ndarray, seed: int, how: Subset) -> None:
    losses = losses_of(targets)
    order = subset_order(targets, seed, how, losses)
    for label in set(targets.tolist()):
        drawn = losses[order][targets[order] == label]
        assert (np.diff(drawn) >= 0).all() if how == "easy" else (np.diff(drawn) <= 0).all()


@given(st.integers(1, 6), st.integers(1, 20), SEEDS, st.sampled_from(["easy", "hard"]))
def test_easy_and_hard_interleave_the_classes(classes: int, members: int, seed: int, how: Subset) -> None:
    targets = np.repeat(np.arange(classes), members)
    drawn = targets[subset_order(targets, seed, how, losses_of(targets))]
    for n in range(1, len(drawn) + 1):
        counts = np.bincount(drawn[:n], minlength=classes)
        assert counts.max() - counts.min() <= 1


def test_the_seed_decides_among_equal_losses() -> None:
    targets, losses = np.zeros(50, dtype=np.int64), np.ones(50)
    assert len({tuple(subset_order(targets, seed, "easy", losses)) for seed in range(5)}) == 5


@pytest.mark.parametrize("losses", [None, np.zeros(2), np.array([0.0, np.nan, 1.0])])
def test_easy_and_hard_need_losses(losses: np.ndarray | None) -> None:
    with pytest.raises(ValueError, match="loss"):
        subset_order(np.zeros(3, dtype=np.int64), 0, "easy", losses)


def test_an_order_does_not_change_with_versions() -> None:
    """Finished sweeps and stored teachers rest on it."""
    targets = np.array([0, 0, 0, 1, 1, 2])
    assert [subset_order(targets, 3, how).tolist() for how in ("uniform", "stratified")] == [
        [2, 5, 4, 1, 3, 0],
        [5, 4, 2, 1, 3, 0],
    ]


@given(TARGETS, SEEDS)
def test_every_stratified_prefix_holds_each_class(targets: np.ndarray, seed: int) -> None:
    class_count = len(set(targets.tolist()))
    order = subset_order(targets, seed, "stratified")
    assert len(set(targets[order[:class_count]].tolist())) == class_count


@given(st.integers(1, 6), st.integers(1, 20), SEEDS)
def test_equal_classes_stay_equal_in_every_prefix(class_count: int, members: int, seed: int) -> None:
    targets = np.repeat(np.arange(class_count), members)
    drawn = targets[subset_order(targets, seed, "stratified")]
    for n in range(1, len(drawn) + 1):
        counts = np.bincount(drawn[:n], minlength=class_count)
        assert counts.max() - counts.min() <= 1


@given(TARGETS, SEEDS)
def test_stratified_prefixes_follow_the_proportions(targets: np.ndarray, seed: int) -> None:
    classes, members = np.unique(targets, return_counts=True)
    drawn = targets[subset_order(targets, seed, "stratified")]
    for n in range(1, len(drawn) + 1):
        counts = np.array([(drawn[:n] == label).sum() for label in classes])
        # One sample of rounding, and up to one per class for the rule that each class comes first.
        assert np.abs(counts - n * members / len(targets)).max() <= len(classes)
        assert (counts <= np.ceil(n * members / len(targets)) + 1).all()


def test_seeds_differ() -> None:
    targets = np.repeat(np.arange(10), 50)
    subsets = {tuple(sorted(subset_order(targets, seed, "stratified")[:20].tolist())) for seed in range(20)}
    assert len(subsets) == 20


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one of stratified, uniform, balanced, easy, hard"):
        subset_order(np.zeros(3, dtype=np.int64), 0, "random")  # type: ignore[arg-type]
