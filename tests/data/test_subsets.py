"""Nested subsets: properties that hold for any labels and seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsearch.data import subset_order

TARGETS = st.lists(st.integers(0, 5), min_size=1, max_size=120).map(lambda labels: np.array(labels, dtype=np.int64))
SEEDS = st.integers(0, 2**63 - 1)


@given(TARGETS, SEEDS, st.sampled_from(["stratified", "uniform"]))
def test_an_order_is_a_permutation_and_repeats(targets: np.ndarray, seed: int, how: str) -> None:
    order = subset_order(targets, seed, how)  # type: ignore[arg-type]
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(len(targets)))
    assert np.array_equal(order, subset_order(targets, seed, how))  # type: ignore[arg-type]


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
    with pytest.raises(ValueError, match="stratified or uniform"):
        subset_order(np.zeros(3, dtype=np.int64), 0, "balanced")  # type: ignore[arg-type]
