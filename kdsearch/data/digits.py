"""Handwritten digits, 8x8 pixels, embedded in scikit-learn (1,797 samples of the UCI set; no files needed)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdsearch.data.arrays import Arrays
from kdsearch.data.facts import Facts
from kdsearch.data.holdout import TEST_SEED
from kdsearch.data.subsets import hold_out

TEST_COUNT = 450
CLASS_NAMES = tuple("0123456789")
CLASS_COUNTS = (134, 136, 133, 137, 136, 136, 136, 134, 130, 135)
"""Of the training part."""


def load(root: Path | None = None, arguments: object = None) -> Arrays:
    from sklearn.datasets import load_digits

    pixels, targets = load_digits(return_X_y=True)
    inputs = (pixels / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    targets = targets.astype(np.int64)
    train, test = hold_out(targets, TEST_COUNT, TEST_SEED)
    return Arrays(inputs[train], targets[train], inputs[test], targets[test], class_count=10, class_names=CLASS_NAMES)


def facts(root: Path | None = None, arguments: object = None) -> Facts:
    return Facts(CLASS_COUNTS, TEST_COUNT, (1, 8, 8), class_names=CLASS_NAMES)
