"""The data sets that kdsearch knows by name, and those users bring."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdsearch.config.schema import DatasetConfig
from kdsearch.data import digits
from kdsearch.data import hub
from kdsearch.data import image_folders
from kdsearch.data import mnist_5k
from kdsearch.data import npz
from kdsearch.data import spam_assassin
from kdsearch.data import tables
from kdsearch.data import texts
from kdsearch.data import tiny_imagenet
from kdsearch.data.arrays import Arrays
from kdsearch.data.cifar import CIFAR10
from kdsearch.data.cifar import CIFAR100
from kdsearch.data.facts import Facts
from kdsearch.data.fashion_mnist import FASHION_MNIST
from kdsearch.data.holdout import lone_class_problems
from kdsearch.data.mlbench import LETTER
from kdsearch.data.mlbench import SATELLITE
from kdsearch.data.mnist import MNIST
from kdsearch.data.reader import Reader
from kdsearch.data.reader import check_arguments
from kdsearch.data.reader import loaded_facts
from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.imports import import_target

DATASETS: dict[str, Reader] = {
    "digits": Reader(digits.load, digits.facts),
    "fashion_mnist": Reader(FASHION_MNIST.load, FASHION_MNIST.facts, downloads=FASHION_MNIST.downloads),
    "mnist": Reader(MNIST.load, MNIST.facts, downloads=MNIST.downloads),
    "mnist_5k": Reader(mnist_5k.load, mnist_5k.facts),
    "letter": Reader(LETTER.load, LETTER.facts),
    "satellite": Reader(SATELLITE.load, SATELLITE.facts),
    "spam_assassin": Reader(spam_assassin.load, loaded_facts(spam_assassin.load), spam_assassin.MailArguments),
    "cifar10": Reader(CIFAR10.load, CIFAR10.facts, downloads=CIFAR10.downloads),
    "cifar100": Reader(CIFAR100.load, CIFAR100.facts, downloads=CIFAR100.downloads),
    "tiny_imagenet": Reader(tiny_imagenet.load, tiny_imagenet.facts, image_folders.ImageArguments),
    "imagenet": Reader(image_folders.load_imagenet, image_folders.imagenet_facts, image_folders.ImageArguments),
    "imagefolder": Reader(image_folders.load, image_folders.facts, image_folders.FolderArguments),
    "npz": Reader(npz.load, loaded_facts(npz.load), npz.NpzArguments),
    "table": Reader(tables.load, loaded_facts(tables.load), tables.TableArguments),
    "text": Reader(texts.load, loaded_facts(texts.load), texts.TextArguments),
    "huggingface": Reader(hub.load, loaded_facts(hub.load), hub.HubArguments),
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
    imbalance: float
    """The largest class's count in the training part over the smallest's, of those that have any; 1 is balanced."""
    vocabulary_size: int | None = None
    """Inputs are token ids int64 [N, L] below it, 0 being padding; None for anything else."""
    class_names: tuple[str, ...] | None = None


def describe(config: DatasetConfig) -> DatasetInfo:
    """Sizes and shapes, after looking at everything that can be wrong with the data before a sweep starts.

    The headers of all image files are read; tables, texts, npz files, Hugging Face data sets and a `_target_` are
    loaded; the data sets that everybody has are taken to be as published where their files are there.

    Raises:
        InputError: every problem found: unknown name or argument, missing or damaged files, a `_target_` that does not
            work, too large a validation split, a class with too few samples to be in both pool and validation split.
    """
    facts = _facts(config)
    problems = [
        *_validation_count_problems(config, facts.train_count),
        *lone_class_problems(
            "dataset", config.name, facts.class_counts, facts.class_names, "a validation split beside the train pool"
        ),
    ]
    if problems:
        raise InputError(problems)
    return DatasetInfo(
        name=config.name,
        pool_count=facts.train_count - config.validation_count,
        validation_count=config.validation_count,
        test_count=facts.test_count,
        class_count=facts.class_count,
        input_shape=facts.input_shape,
        imbalance=facts.imbalance,
        vocabulary_size=facts.vocabulary_size,
        class_names=facts.class_names,
    )


def load_arrays(config: DatasetConfig) -> Arrays:
    """The whole data set.

    Raises:
        InputError: unknown name or argument, missing or damaged files, or a `_target_` that does not work.
    """
    if config.target is not None:
        return _load_target(config, config.target)
    reader = _reader(config)
    arguments = check_arguments(reader.arguments, config.arguments, config.name)
    return reader.load(_root(config), arguments)


def needs_download(config: DatasetConfig) -> bool:
    """Whether loading this data set would download it first."""
    return config.target is None and _reader(config).downloads(_root(config))


def check_validation_count(config: DatasetConfig, train_count: int) -> None:
    """
    Raises:
        InputError: nothing would be left to train on.
    """
    problems = _validation_count_problems(config, train_count)
    if problems:
        raise InputError(problems)


def _validation_count_problems(config: DatasetConfig, train_count: int) -> list[Problem]:
    if config.validation_count < train_count:
        return []
    allowed = f"must be below {train_count}, the number of samples outside the test split"
    return [Problem("dataset.validation_count", config.validation_count, allowed)]


def _facts(config: DatasetConfig) -> Facts:
    if config.target is not None:
        return _load_target(config, config.target).facts()
    reader = _reader(config)
    return reader.facts(_root(config), check_arguments(reader.arguments, config.arguments, config.name))


def _reader(config: DatasetConfig) -> Reader:
    if config.name not in DATASETS:
        allowed = f"must be one of {', '.join(DATASETS)}, or have a `_target_`"
        raise InputError([Problem("dataset", config.name, allowed)])
    return DATASETS[config.name]


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
