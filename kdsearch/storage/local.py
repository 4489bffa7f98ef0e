"""A folder as storage."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from kdsearch.storage.base import checked
from kdsearch.storage.base import whole

TEMPORARY_PREFIX = ".partial-"


class LocalStorage:
    """Files below one folder. A write renames a complete, synced file, so a crash leaves the old or the new one."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder).expanduser().absolute()

    @property
    def local_path(self) -> Path:
        return self._folder

    def read(self, path: str) -> bytes:
        return self._path(path).read_bytes()

    def read_part(self, path: str, start: int, length: int) -> bytes:
        with self._path(path).open("rb") as file:
            file.seek(start)
            return whole(file.read(length), path, start, length)

    def write(self, path: str, content: bytes) -> None:
        target = self._path(path)
        with _written_beside(target, content) as temporary:
            temporary.replace(target)
        _sync_folder(target.parent)

    def write_new(self, path: str, content: bytes) -> bool:
        target = self._path(path)
        with _written_beside(target, content) as temporary:
            try:
                # A link, because it does not replace what another process has put there meanwhile.
                os.link(temporary, target)
            except FileExistsError:
                return False
        _sync_folder(target.parent)
        return True

    def exists(self, path: str) -> bool:
        return self._path(path).is_file()

    def list(self, folder: str) -> list[str]:
        files = (file for file in self._path(folder).rglob("*") if not file.name.startswith(TEMPORARY_PREFIX))
        return sorted(file.relative_to(self._folder).as_posix() for file in files if file.is_file())

    def delete(self, path: str) -> None:
        file = self._path(path)
        file.unlink(missing_ok=True)
        # S3 has no folders; here they go when they are empty.
        with contextlib.suppress(OSError):
            for folder in file.parents:
                if folder == self._folder:
                    break
                folder.rmdir()

    def discard_partial(self, folder: str) -> None:
        for file in self._path(folder).rglob(f"{TEMPORARY_PREFIX}*"):
            file.unlink(missing_ok=True)

    def _path(self, path: str) -> Path:
        return self._folder / checked(path)


@contextlib.contextmanager
def _written_beside(target: Path, content: bytes) -> Iterator[Path]:
    """A complete, synced file of that content in the folder of `target`, gone afterwards."""
    temporary = target.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}")
    try:
        with _open_new(temporary) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _open_new(path: Path) -> BinaryIO:
    """Create a file and its folders, though somebody may be removing the folders because they are empty."""
    for _ in range(100):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            return path.open("wb")
    raise FileNotFoundError(path)


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut; file systems that cannot sync a folder (some network ones) are left alone."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
