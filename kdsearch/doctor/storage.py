"""Can files be written to the storage, read from it and deleted?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from kdsearch.config.locations import is_s3
from kdsearch.config.schema import SweepConfig
from kdsearch.doctor.finding import Finding
from kdsearch.doctor.finding import Remark
from kdsearch.doctor.folder import temporary_file
from kdsearch.doctor.folder import writing_remark
from kdsearch.doctor.s3 import try_s3


def look_at_storage(config: SweepConfig) -> Finding:
    """From this machine."""
    storage = config.storage
    if is_s3(storage):
        access = try_s3(storage)
        found = f"{storage}: put, get, list and delete work; {access}"
        return Finding.conclude("storage", found, [access.remark] if access.remark else [])
    remark = writing_remark("storage", Path(storage))
    state = "is there" if Path(storage).is_dir() else "can be created"
    found = f"{storage} {state}; files can be written and deleted"
    return Finding.conclude("storage", found, [remark] if remark else [])


@contextlib.contextmanager
def shown_to_nodes(storage: str) -> Iterator[str | None]:
    """What a node is asked to find: S3 itself, or a file put into a local storage (or where that will be created)."""
    with contextlib.ExitStack() as stack:
        shown = None
        if is_s3(storage):
            shown = storage
        else:
            # That it cannot be written is told by `look_at_storage`.
            with contextlib.suppress(OSError):
                shown = str(stack.enter_context(temporary_file(Path(storage))))
        yield shown


def node_remark(shown: str) -> Remark | None:
    """What keeps a node, on which this runs, from using the storage."""
    if is_s3(shown):
        return try_s3(shown).remark
    folder = Path(shown).parent
    if not Path(shown).exists():
        advice = "storage= must be a folder that every node mounts, or s3://bucket/prefix"
        return Remark.bad(f"{folder} is not the driver's folder of that name", advice)
    try:
        with temporary_file(folder):
            return None
    except OSError as error:
        found = f"files cannot be written in {folder}: {error.strerror}"
        return Remark.bad(found, "make it writable for the user that Ray runs as")
