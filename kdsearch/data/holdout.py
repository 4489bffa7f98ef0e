"""Held-out parts for data sets that bring none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kdsearch.data.subsets import hold_out
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEST_SEED = 1797
"""Fixes the test part for everybody; a sweep's seed does not move it."""


def split_off(targets: NDArray[np.int64], fraction: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the training part and of the test part: `fraction` of the samples, stratified by class.

    Depends on nothing but the targets and their order.
    """
    return hold_out(targets, max(1, round(fraction * len(targets))), TEST_SEED)


def lone_class_problems(
    key: str, value: object, class_counts: Sequence[int], class_names: Sequence[str] | None, purpose: str
) -> list[Problem]:
    """The classes with a single sample, which a stratified split cannot have on both of its sides."""
    lone = [index for index, count in enumerate(class_counts) if count == 1]
    names = [str(index) if class_names is None else class_names[index] for index in lone]
    return [Problem(key, value, f"class {name} has a single sample; {purpose} needs at least 2") for name in names]
