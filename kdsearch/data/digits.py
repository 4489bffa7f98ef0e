"""Handwritten digits, 8x8 pixels, embedded in scikit-learn (1,797 samples of the UCI set; no files needed)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdsearch.data.arrays import Arrays
from kdsearch.data.subsets import subset_order

TEST_COUNT = 450
TEST_SEED = 1797
"""Fixes the test split for everybody; a sweep's seed does not move it."""


def load(root: Path | None = None) -> Arrays:
    from sklearn.datasets import load_digits

    pixels, targets = load_digits(return_X_y=True)
    inputs = (pixels / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    targets = targets.astype(np.int64)
    order = subset_order(targets, TEST_SEED, "stratified")
    test, train = np.sort(order[:TEST_COUNT]), np.sort(order[TEST_COUNT:])
    return Arrays(inputs[train], targets[train], inputs[test], targets[test], class_count=10)
