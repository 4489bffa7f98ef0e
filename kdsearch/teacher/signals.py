"""A teacher's outputs, found by sample id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Signals:
    """The teacher's logits float32 [N, C] for samples with increasing ids int64 [N].

    Looked up by id, never by position: a shuffled batch can't get another sample's signal.
    """

    ids: NDArray[np.int64]
    logits: NDArray[np.float32]

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.logits) or np.any(np.diff(self.ids) <= 0):
            raise ValueError("signals need one row per sample id, ids increasing")

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """The logits [n, C] of the samples `ids` [n], in that order.

        Raises:
            KeyError: a sample that the teacher was not asked about.
        """
        rows = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        unknown = np.asarray(ids)[self.ids[rows] != ids]
        if len(unknown):
            raise KeyError(f"no signals for the samples {unknown[:5].tolist()}{' …' if len(unknown) > 5 else ''}")
        return self.logits[rows]
