"""Nested, seeded orders of samples: the first n of an order are the subset of size n."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def subset_order(targets: NDArray[np.int64], seed: int, how: Literal["stratified", "uniform"]) -> NDArray[np.int64]:
    """A permutation of positions in `targets`, [N] int64, whose first n are the subset of size n, for every n.

    `uniform` draws without looking at the classes. Under `stratified` every prefix is as close to the classes'
    proportions as whole samples allow, and every prefix that is long enough for it holds each class.
    """
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(len(targets))
    if how == "uniform":
        return shuffled.astype(np.int64)
    if how != "stratified":
        raise ValueError(f"subset {how!r}: must be stratified or uniform")
    classes, class_index, members = np.unique(targets[shuffled], return_inverse=True, return_counts=True)
    rank = _rank_in_class(class_index)
    # The j-th member of a class of m is due when (j + 1/2) / m of everything is drawn; each class's first goes first.
    due = np.where(rank == 0, 0.0, (rank + 0.5) / members[class_index])
    tie_break = generator.random(len(targets))
    return shuffled[np.lexsort((tie_break, due))].astype(np.int64)


def _rank_in_class(class_index: NDArray[np.intp]) -> NDArray[np.int64]:
    """For each position, how many of its class come before it."""
    by_class = np.argsort(class_index, kind="stable")
    starts = np.searchsorted(class_index[by_class], np.arange(class_index.max() + 1))
    rank = np.empty(len(class_index), dtype=np.int64)
    rank[by_class] = np.arange(len(class_index)) - starts[class_index[by_class]]
    return rank
