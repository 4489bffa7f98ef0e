"""A storage whose calls wait until it answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kdsearch.outage import Outage
from kdsearch.storage.away import is_storage_away
from kdsearch.storage.base import Storage

T = TypeVar("T")


class PatientStorage:
    """`storage`, each call repeated through `outage` while it is away.

    Every method may raise AwayError: the storage was away for longer than is waited.
    """

    def __init__(self, storage: Storage, outage: Outage) -> None:
        self._storage = storage
        self._outage = outage

    @property
    def local_path(self) -> Path | None:
        return self._storage.local_path

    def read(self, path: str) -> bytes:
        return self._insist(lambda: self._storage.read(path))

    def read_part(self, path: str, start: int, length: int) -> bytes:
        return self._insist(lambda: self._storage.read_part(path, start, length))

    def write(self, path: str, content: bytes) -> None:
        self._insist(lambda: self._storage.write(path, content))

    def write_new(self, path: str, content: bytes) -> bool:
        return self._insist(lambda: self._storage.write_new(path, content))

    def exists(self, path: str) -> bool:
        return self._insist(lambda: self._storage.exists(path))

    def list(self, folder: str) -> list[str]:
        return self._insist(lambda: self._storage.list(folder))

    def delete(self, path: str) -> None:
        self._insist(lambda: self._storage.delete(path))

    def discard_partial(self, folder: str) -> None:
        self._insist(lambda: self._storage.discard_partial(folder))

    def _insist(self, call: Callable[[], T]) -> T:
        return self._outage.insist(call, is_storage_away)
