"""Can files be written in a folder, and how much room is there?"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kdsearch.doctor.finding import Remark

PREFIX = ".kdsearch-doctor-"
GIGABYTE = 1e9
LEAST_FREE = 1 * GIGABYTE
LITTLE_FREE = 5 * GIGABYTE


def nearest_folder(folder: Path) -> Path:
    """`folder`, or the folder above it that is there already."""
    return next(place for place in (folder, *folder.parents) if os.path.lexists(place))


@contextlib.contextmanager
def temporary_file(folder: Path) -> Iterator[Path]:
    """A file that is really written and synced, in `folder` or the nearest one above it; deleted at the end.

    Raises:
        OSError: it cannot be written.
    """
    with tempfile.NamedTemporaryFile(prefix=PREFIX, dir=nearest_folder(folder)) as file:
        file.write(b"kdsearch doctor was here")
        file.flush()
        os.fsync(file.fileno())
        yield Path(file.name)


def writing_remark(key: str, folder: Path) -> Remark | None:
    """Why files cannot be written in `folder` (which need not exist yet), or None."""
    try:
        with temporary_file(folder):
            return None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        found = f"files cannot be written in {nearest_folder(folder)}: {reason}"
        return Remark.bad(found, f"make it writable for this user, or choose another place with {key}=")


def room_remark(where: str, free: float, advice: str) -> Remark | None:
    """Is the free space little, or too little to start with?"""
    found = f"{where}: {gigabytes(free)} free"
    if free < LEAST_FREE:
        return Remark.bad(f"{found}, {gigabytes(LEAST_FREE)} is the least to start with", advice)
    return Remark.warn(f"{found}, which is little", advice) if free < LITTLE_FREE else None


def free_bytes(folder: Path) -> int:
    """The free space where `folder` is, or will be."""
    return shutil.disk_usage(nearest_folder(folder)).free


def gigabytes(count: float) -> str:
    return f"{count / GIGABYTE:.{1 if count < 10 * GIGABYTE else 0}f} GB"
