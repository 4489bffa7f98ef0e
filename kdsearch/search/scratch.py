"""Temporary files of a sweep, under one folder per sweep and machine, so that what a killed process left is found."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


def scratch_folder(uid: str) -> Path:
    """Where the sweep `uid` keeps temporary files on this machine."""
    return Path(tempfile.gettempdir()) / f"kdsearch-{uid}"


@contextlib.contextmanager
def scratch(uid: str, part: str) -> Iterator[Path]:
    """An empty folder for one part of the driver, removed afterwards; one that a killed driver left is emptied."""
    folder = scratch_folder(uid) / part
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.parent.rmdir()
