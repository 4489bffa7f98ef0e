"""What a storage can do."""

from __future__ import annotations

from pathlib import Path
from pathlib import PurePosixPath
from typing import Protocol


class Storage(Protocol):
    """Bytes under relative, `/`-separated paths. What was written is there whole, or as it was before."""

    @property
    def local_path(self) -> Path | None:
        """The folder that holds it, or None where it is not on this machine's file system."""

    def read(self, path: str) -> bytes:
        """
        Raises:
            FileNotFoundError: nothing is stored there.
        """

    def read_part(self, path: str, start: int, length: int) -> bytes:
        """`length` bytes from `start` on.

        Raises:
            FileNotFoundError: nothing is stored there.
            ValueError: it has not so many.
        """

    def write(self, path: str, content: bytes) -> None:
        """Store `content`, replacing what was there."""

    def write_new(self, path: str, content: bytes) -> bool:
        """Store `content` unless something is stored there; of several writers at once exactly one is told True."""

    def exists(self, path: str) -> bool: ...

    def list(self, folder: str) -> list[str]:
        """The paths of everything below `folder`, at any depth, sorted; empty when there is nothing."""

    def delete(self, path: str) -> None:
        """Remove what is stored there, if anything."""

    def discard_partial(self, folder: str) -> None:
        """Remove what writes that were killed have left below `folder`; nothing may be written there meanwhile."""


def whole(part: bytes, path: str, start: int, length: int) -> bytes:
    """`part`, if it is as long as was asked for.

    Raises:
        ValueError: it is not.
    """
    if len(part) != length:
        raise ValueError(f"storage path {path!r}: has {len(part)} of the {length} bytes from {start} on")
    return part


def checked(path: str) -> str:
    """`path` in normal form.

    Raises:
        ValueError: it is absolute or leads out of the storage.
    """
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise ValueError(f"storage path {path!r}: must be relative and stay inside the storage")
    return "/".join(parts)
