"""The data sets that kdsearch knows by name, and those users bring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kdsearch.config.schema import DatasetConfig
from kdsearch.data import digits
from kdsearch.data import fashion_mnist
from kdsearch.data.arrays import Arrays
from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.imports import import_target


@dataclass(frozen=True)
class BuiltIn:
    """A data set known by name: facts that need no reading, how to load it, and what is missing before loading."""

    train_count: int
    test_count: int
    class_count: int
    input_shape: tuple[int, ...]
    load: Callable[[Path | None], Arrays]
    """Called with `dataset.root`."""
    missing: Callable[[Path | None], str | None] = lambda root: None
    """Why the data set cannot be read from `dataset.root`, or None; cheap."""


DATASETS: dict[str, BuiltIn] = {
    "digits": BuiltIn(1347, 450, 10, (1, 8, 8), digits.load),
    "fashion_mnist": BuiltIn(60_000, 10_000, 10, (1, 28, 28), fashion_mnist.load, fashion_mnist.missing),
}


@dataclass(frozen=True)
class DatasetInfo:
    """Sizes of a data set's splits and the shapes of its samples."""

    name: str
    pool_count: int
    """Samples that students and teacher may learn from: the training part without the validation split."""
    validation_count: int
    test_count: int
    class_count: int
    input_shape: tuple[int, ...]


def describe(config: DatasetConfig) -> DatasetInfo:
    """Sizes and shapes, without reading a built-in data set's samples; a `_target_` is loaded.

    Raises:
        InputError: unknown name, missing files, a `_target_` that does not work, or too large a validation split.
    """
    if config.target is None:
        _check_built_in(config)
        facts = DATASETS[config.name]
        train_count, test_count = facts.train_count, facts.test_count
        class_count, input_shape = facts.class_count, facts.input_shape
    else:
        arrays = load_arrays(config)
        train_count, test_count = len(arrays.train_targets), len(arrays.test_targets)
        class_count, input_shape = arrays.class_count, arrays.input_shape
    check_validation_count(config, train_count)
    pool_count = train_count - config.validation_count
    return DatasetInfo(config.name, pool_count, config.validation_count, test_count, class_count, input_shape)


def load_arrays(config: DatasetConfig) -> Arrays:
    """The whole data set.

    Raises:
        InputError: unknown name, missing files, or a `_target_` that does not work.
    """
    if config.target is not None:
        return _load_target(config, config.target)
    _check_built_in(config)
    return DATASETS[config.name].load(_root(config))


def check_validation_count(config: DatasetConfig, train_count: int) -> None:
    if config.validation_count >= train_count:
        allowed = f"must be below {train_count}, the number of samples outside the test split"
        raise InputError([Problem("dataset.validation_count", config.validation_count, allowed)])


def _check_built_in(config: DatasetConfig) -> None:
    if config.name not in DATASETS:
        allowed = f"must be one of {', '.join(DATASETS)}, or have a `_target_`"
        raise InputError([Problem("dataset", config.name, allowed)])
    reason = DATASETS[config.name].missing(_root(config))
    if reason is not None:
        raise InputError([Problem("dataset.root", config.root, reason)])


def _load_target(config: DatasetConfig, target: str) -> Arrays:
    load = import_target("dataset._target_", target)
    arguments = dict(config.arguments)
    if config.root is not None:
        arguments["root"] = config.root
    try:
        arrays = load(**arguments)
    except Exception as error:
        reason = f"failed with {type(error).__name__}: {error}"
        raise InputError([Problem("dataset._target_", target, reason)]) from error
    if not isinstance(arrays, Arrays):
        allowed = f"must return kdsearch.data.Arrays, not {type(arrays).__name__}"
        raise InputError([Problem("dataset._target_", target, allowed)])
    return arrays


def _root(config: DatasetConfig) -> Path | None:
    return None if config.root is None else Path(config.root).expanduser()
