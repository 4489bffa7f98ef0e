"""A teacher's outputs, found by sample id: in memory, or read from the storage in blocks."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kdsearch.storage import Storage

BLOCK_BYTES = 2**23
"""At most so much is read at once."""


class SignalSource(Protocol):
    """Looked up by id, never by position: a shuffled batch can't get another sample's signal."""

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """The logits [n, C] (of several networks [n, M, C]) of the samples `ids` [n], in that order.

        Raises:
            KeyError: a sample that the teacher was not asked about.
        """


@dataclass(frozen=True)
class Signals:
    """The teacher's logits float32 [N, C] for samples with increasing ids int64 [N]."""

    ids: NDArray[np.int64]
    logits: NDArray[np.float32]

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.logits) or np.any(np.diff(self.ids) <= 0):
            raise ValueError("signals need one row per sample id, ids increasing")

    @property
    def nbytes(self) -> int:
        return self.ids.nbytes + self.logits.nbytes

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.logits[_rows(self.ids, ids)]


@dataclass(frozen=True)
class StoredSignals:
    """Those in a safetensors file that holds `logits`, of which only what is asked for is ever read."""

    ids: NDArray[np.int64]
    class_count: int
    storage: Storage
    path: str

    @property
    def nbytes(self) -> int:
        """In memory."""
        return self.ids.nbytes

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        rows = _rows(self.ids, ids)
        wanted, places = np.unique(rows, return_inverse=True)
        found = np.empty((len(wanted), self.class_count), np.float32)
        for part in _blocks(wanted, max(1, BLOCK_BYTES // self._row_bytes)):
            first, last = int(wanted[part.start]), int(wanted[part.stop - 1])
            found[part] = self._read(first, last + 1)[wanted[part] - first]
        return found[places]

    @property
    def _row_bytes(self) -> int:
        return 4 * self.class_count

    def _read(self, first: int, end: int) -> NDArray[np.float32]:
        start = self._offset + first * self._row_bytes
        content = self.storage.read_part(self.path, start, (end - first) * self._row_bytes)
        return np.frombuffer(content, "<f4").reshape(end - first, self.class_count)

    @functools.cached_property
    def _offset(self) -> int:
        """Where in the file the logits begin."""
        length = int.from_bytes(self.storage.read_part(self.path, 0, 8), "little")
        header = json.loads(self.storage.read_part(self.path, 8, length))
        return 8 + length + int(header["logits"]["data_offsets"][0])


@dataclass(frozen=True)
class SeveralSignals:
    """Those of several networks side by side, [n, M, C]."""

    sources: tuple[SignalSource, ...]

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.stack([source.of(ids) for source in self.sources], axis=1)


def _rows(known: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.intp]:
    rows = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    unknown = np.asarray(ids)[known[rows] != ids]
    if len(unknown):
        raise KeyError(f"no signals for the samples {unknown[:5].tolist()}{' …' if len(unknown) > 5 else ''}")
    return rows


def _blocks(rows: NDArray[np.intp], size: int) -> Iterator[slice]:
    """Parts of the increasing `rows`, each of which lies within `size` rows of a file."""
    start = 0
    while start < len(rows):
        end = int(np.searchsorted(rows, rows[start] + size))
        yield slice(start, end)
        start = end
