"""Train pool, validation and test split of a data set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

import numpy as np

from kdsearch.config.schema import DatasetConfig
from kdsearch.config.schema import Subset
from kdsearch.data.arrays import Arrays
from kdsearch.data.arrays import Inputs
from kdsearch.data.datasets import check_validation_count
from kdsearch.data.datasets import load_arrays
from kdsearch.data.facts import imbalance
from kdsearch.data.sealed import TestSplit
from kdsearch.data.sealed import TestSplitError
from kdsearch.data.subsets import hold_out
from kdsearch.data.subsets import subset_order
from kdsearch.seeds import derive_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Split:
    """Some samples of a data set: ids (index in the data set, test samples after the others), inputs and targets."""

    ids: NDArray[np.int64]
    inputs: Inputs
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, positions: NDArray[np.int64]) -> Split:
        return Split(self.ids[positions], self.inputs.take(positions, axis=0), self.targets[positions])

    def in_memory(self) -> Split:
        """The same samples with inputs that are decoded."""
        return dataclasses.replace(self, inputs=np.asarray(self.inputs))


@dataclass(frozen=True)
class Splits:
    """The splits of one sweep. The test split is sealed, and `without_test` gives splits that do not hold it."""

    name: str
    """Of the data set."""
    pool: Split
    """What students and teacher may learn from."""
    validation: Split
    """What the search sees."""
    class_count: int
    fingerprint: str
    """SHA-256 of the data set's content."""
    seed: int
    subset: Subset = "stratified"
    """How `samples` draws unless told otherwise."""
    vocabulary_size: int | None = None
    """Inputs are token ids int64 [N, L] below it, 0 being padding; None for anything else."""
    class_names: tuple[str, ...] | None = None
    preprocessing: Mapping[str, Any] | None = None
    """That of `Arrays`."""
    _test: TestSplit | None = dataclasses.field(default=None, repr=False)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self.pool.inputs.shape[1:])

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Samples of each class in the pool."""
        return tuple(np.bincount(self.pool.targets, minlength=self.class_count).tolist())

    @property
    def imbalance(self) -> float:
        """The largest class's count in the pool over the smallest's, of the classes that have any."""
        return imbalance(self.class_counts)

    def samples(
        self,
        count: int,
        subset_seed: int,
        how: Subset | None = None,
        teacher_losses: NDArray[np.floating] | None = None,
    ) -> Split:
        """The `count` samples of the pool that a student with this subset seed learns from; nested in `count`.

        `how` is `subset_order`'s; None is what the data set was configured with. `teacher_losses` are those of the
        pool's samples in their order, for easy and hard.

        Raises:
            ValueError: the pool holds fewer samples, or the teacher's losses are needed and missing.
        """
        if not 1 <= count <= len(self.pool):
            raise ValueError(f"sample count {count}: must be 1 to {len(self.pool)}, the size of the train pool")
        order = subset_order(self.pool.targets, subset_seed, how or self.subset, teacher_losses)
        return self.pool.take(order[:count])

    def sealed_test(self) -> TestSplit:
        """The test split, to be handed on unopened.

        Raises:
            TestSplitError: these splits do not hold it.
        """
        if self._test is None:
            raise TestSplitError("these splits do not hold the test split")
        return self._test

    def test(self, purpose: Literal["confirmation"]) -> Split:
        """The test split, for scoring confirmations and nothing else.

        Raises:
            TestSplitError: another purpose, or splits that do not hold it.
        """
        return self.sealed_test().open(purpose, by=f"the splits of {self.name}")

    def without_test(self) -> Splits:
        return dataclasses.replace(self, _test=None)


def load_splits(config: DatasetConfig, seed: int) -> Splits:
    """Read the data set and split it; the validation split depends on `seed` and is stratified.

    Raises:
        InputError: as `load_arrays`, or too large a validation split.
    """
    arrays = load_arrays(config)
    check_validation_count(config, len(arrays.train_targets))
    return split(arrays, config.validation_count, seed, config.subset, config.name)


def split(
    arrays: Arrays,
    validation_count: int,
    seed: int,
    subset: Subset = "stratified",
    name: str = "custom",
) -> Splits:
    """Splits of `arrays`: `validation_count` samples of its training part are held out, stratified by class.

    The validation split, which every trial is scored on, is read into memory; other images on disk stay there.
    """
    train_count = len(arrays.train_targets)
    train = Split(np.arange(train_count), arrays.train_inputs, arrays.train_targets)
    test_ids = np.arange(train_count, train_count + len(arrays.test_targets))
    pool, validation = hold_out(arrays.train_targets, validation_count, derive_seed(seed, "validation"))
    return Splits(
        name=name,
        pool=train.take(pool),
        validation=train.take(validation).in_memory(),
        class_count=arrays.class_count,
        fingerprint=arrays.fingerprint(),
        seed=seed,
        subset=subset,
        vocabulary_size=arrays.vocabulary_size,
        class_names=arrays.class_names,
        preprocessing=arrays.preprocessing,
        _test=TestSplit(Split(test_ids, arrays.test_inputs, arrays.test_targets)),
    )
