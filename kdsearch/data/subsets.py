"""Nested, seeded orders of samples: the first n of an order are the subset of size n."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import get_args

import numpy as np

from kdsearch.config.schema import Subset

if TYPE_CHECKING:
    from numpy.typing import NDArray

BY_LOSS = ("easy", "hard")
"""The orders that need the teacher's losses."""


def subset_order(
    targets: NDArray[np.int64], seed: int, how: Subset, teacher_losses: NDArray[np.floating] | None = None
) -> NDArray[np.int64]:
    """A permutation of positions in `targets`, [N] int64, whose first n are the subset of size n, for every n.

    uniform: drawn without looking at the classes.
    stratified: every prefix is as close to the classes' proportions as whole samples allow, and every prefix that is
        long enough for it holds each class.
    balanced: in every prefix each class has the same number of samples, give or take one, or all that it has.
    easy, hard: classes as under stratified, and within each class the samples with the lowest (highest)
        `teacher_losses`, [N], come first; choosing real samples per class by their loss is the idea of *Distill Gold
        from Massive Ores* (arXiv 2305.18381), which drops those of high loss.

    What is left open (all of it under uniform, equal losses, classes whose turn comes together) the seed decides.

    Raises:
        ValueError: another `how`; easy or hard without one finite loss per sample.
    """
    if how not in get_args(Subset):
        raise ValueError(f"subset {how!r}: must be one of {', '.join(get_args(Subset))}")
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(targets)).astype(np.int64)
    if how == "uniform":
        return order
    if how in BY_LOSS:
        losses = _checked_losses(how, teacher_losses, len(targets))[order]
        order = order[np.argsort(losses if how == "easy" else -losses, kind="stable")]
    _, class_index, members = np.unique(targets[order], return_inverse=True, return_counts=True)
    rank = _rank_in_class(class_index)
    if how == "balanced":
        due = rank.astype(np.float64)
    else:
        # The j-th member of a class of m is due when (j + 1/2) / m of everything is drawn; the first of each is first.
        due = np.where(rank == 0, 0.0, (rank + 0.5) / members[class_index])
    tie_break = generator.random(len(targets))
    return order[np.lexsort((tie_break, due))]


def hold_out(targets: NDArray[np.int64], count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions that stay and `count` positions that are held out, stratified by class, each in increasing order."""
    order = subset_order(targets, seed, "stratified")
    return np.sort(order[count:]), np.sort(order[:count])


def _checked_losses(how: str, losses: NDArray[np.floating] | None, count: int) -> NDArray[np.floating]:
    if losses is None:
        raise ValueError(f"subset {how!r}: needs the teacher's losses")
    if losses.shape != (count,) or not np.isfinite(losses).all():
        raise ValueError(f"subset {how!r}: needs one finite loss for each of {count} samples, got {list(losses.shape)}")
    return losses


def _rank_in_class(class_index: NDArray[np.intp]) -> NDArray[np.int64]:
    """For each position, how many of its class come before it."""
    by_class = np.argsort(class_index, kind="stable")
    starts = np.searchsorted(class_index[by_class], np.arange(class_index.max() + 1))
    rank = np.empty(len(class_index), dtype=np.int64)
    rank[by_class] = np.arange(len(class_index)) - starts[class_index[by_class]]
    return rank
