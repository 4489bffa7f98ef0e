"""No sample in two splits, and no way to the test split but one."""

from __future__ import annotations

import pickle
from typing import get_args

import numpy as np
import pytest

from kdsearch.config.schema import DatasetConfig
from kdsearch.config.schema import Subset
from kdsearch.data import Splits
from kdsearch.data import TestSplitError
from kdsearch.data import load_splits

DIGITS = DatasetConfig(name="digits", validation_count=300)


@pytest.fixture(scope="module")
def digits() -> Splits:
    return load_splits(DIGITS, seed=0)


def test_sizes(digits: Splits) -> None:
    assert (len(digits.pool), len(digits.validation), len(digits.test("confirmation"))) == (1047, 300, 450)
    assert digits.input_shape == (1, 8, 8)


def test_ids_are_disjoint_and_complete(digits: Splits) -> None:
    parts = (digits.pool, digits.validation, digits.test("confirmation"))
    ids = np.concatenate([part.ids for part in parts])
    assert sorted(ids.tolist()) == list(range(1797))


def test_no_image_is_in_two_splits(digits: Splits) -> None:
    images = [{image.tobytes() for image in np.asarray(part.inputs)} for part in (digits.pool, digits.validation)]
    test = {image.tobytes() for image in np.asarray(digits.test("confirmation").inputs)}
    assert not images[0] & images[1]
    assert not (images[0] | images[1]) & test


def test_classes_are_spread_evenly(digits: Splits) -> None:
    for part in (digits.pool, digits.validation, digits.test("confirmation")):
        share = np.bincount(part.targets) / len(part)
        assert share.max() - share.min() < 0.012


def test_the_seed_moves_validation_and_not_the_test_split(digits: Splits) -> None:
    other = load_splits(DIGITS, seed=1)
    assert not np.array_equal(other.validation.ids, digits.validation.ids)
    assert np.array_equal(other.test("confirmation").inputs, digits.test("confirmation").inputs)
    assert np.array_equal(load_splits(DIGITS, seed=0).validation.ids, digits.validation.ids)


def test_the_test_split_is_for_confirmation_alone(digits: Splits) -> None:
    with pytest.raises(TestSplitError, match="confirmation alone"):
        digits.test("search")  # type: ignore[arg-type]


def test_splits_for_workers_do_not_hold_the_test_split(digits: Splits) -> None:
    without = digits.without_test()
    with pytest.raises(TestSplitError):
        without.test("confirmation")
    image = np.asarray(digits.test("confirmation").inputs)[0].tobytes()
    assert image in pickle.dumps(digits)
    assert image not in pickle.dumps(without)


@pytest.mark.parametrize("subset", get_args(Subset))
def test_samples_are_nested_and_come_with_their_own_targets(digits: Splits, subset: Subset) -> None:
    splits = load_splits(DIGITS.model_copy(update={"subset": subset}), seed=0)
    losses = np.random.default_rng(0).random(len(splits.pool))
    small, large = (splits.samples(count, subset_seed=5, teacher_losses=losses) for count in (100, 200))
    assert np.array_equal(small.ids, digits.samples(100, 5, subset, losses).ids)
    assert set(small.ids) < set(large.ids) < set(splits.pool.ids)
    position = {int(sample): index for index, sample in enumerate(splits.pool.ids)}
    for row, sample in enumerate(small.ids):
        assert np.array_equal(np.asarray(small.inputs)[row], np.asarray(splits.pool.inputs)[position[int(sample)]])
        assert small.targets[row] == splits.pool.targets[position[int(sample)]]


@pytest.mark.parametrize("count", [0, 1048])
def test_more_samples_than_the_pool_holds(digits: Splits, count: int) -> None:
    with pytest.raises(ValueError, match="1 to 1047"):
        digits.samples(count, subset_seed=0)
