"""Handwritten digits, 8x8 pixels, embedded in scikit-learn (1,797 samples of the UCI set; no files needed)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from kdsearch.data.arrays import Arrays
from kdsearch.data.facts import Facts
from kdsearch.data.holdout import TEST_SEED
from kdsearch.data.preprocessing import of_pixels
from kdsearch.data.subsets import hold_out

TEST_COUNT = 450
CLASS_NAMES = tuple("0123456789")
CLASS_COUNTS = (134, 136, 133, 137, 136, 136, 136, 134, 130, 135)
"""Of the training part."""


def load(root: Path | None = None, arguments: object = None) -> Arrays:
    table = np.loadtxt(_file(), delimiter=",")
    inputs = (table[:, :-1] / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    targets = table[:, -1].astype(np.int64)
    train, test = hold_out(targets, TEST_COUNT, TEST_SEED)
    return Arrays(
        inputs[train],
        targets[train],
        inputs[test],
        targets[test],
        class_count=10,
        class_names=CLASS_NAMES,
        preprocessing=of_pixels(16, [0.0], [1.0]),
    )


def facts(root: Path | None = None, arguments: object = None) -> Facts:
    return Facts(CLASS_COUNTS, TEST_COUNT, (1, 8, 8), class_names=CLASS_NAMES)


def _file() -> Path:
    """Where scikit-learn keeps them; `sklearn.datasets` takes over a second to import, which every sweep would wait."""
    package = find_spec("sklearn")
    assert package is not None and package.submodule_search_locations
    return Path(package.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
