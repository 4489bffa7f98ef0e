"""SQLite files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

SQLITE = "sqlite:///"


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL, or None for a server."""
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None


def create_whole(path: Path, build: Callable[[str], None]) -> None:
    """Make the database `path`, unless it is there: `build` gets the URL of a file beside it, which then gets its name.

    A process killed while the tables are being made would otherwise leave a file that nobody can open again.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        part = Path(folder) / path.name
        build(f"{SQLITE}{part}")
        # A link, because it does not replace what another process has put there meanwhile.
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
