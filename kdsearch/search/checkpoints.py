"""Checkpoints of unfinished trials, in the sweep's storage.

Each attempt, and within it each sending of a trial, writes under its own number: a worker that outlived its driver, or
was cut off and comes back, neither overwrites nor removes what its successor writes. The newest one that can be read is
used; a damaged one is passed over, which is why the one before it stays.
While the storage takes nothing, checkpoints go to a spool on the worker's own disk. A finished trial has none.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Collection
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from kdsearch.outage import AwayError
from kdsearch.storage import Storage

logger = logging.getLogger(__name__)

KEPT = 2
"""How many checkpoints of a trial there are at most: the newest, and one for when it turns out to be damaged."""


@dataclass(frozen=True)
class CheckpointStore:
    """The checkpoints of the trials of one sweep, as a worker writes them to whom attempt `attempt` sent a trial."""

    storage: Storage
    spool: Storage
    sweep: str
    attempt: int
    sending: int = 1
    """How often the attempt has sent the trial out."""

    def save(self, key: str, step: int, state: dict[str, Any]) -> Exception | None:
        """Write the state after `step`, then remove what it replaces.

        What the storage answered where it did not take it; the checkpoint is then in the spool, if that took it.
        """
        import torch

        buffer = io.BytesIO()
        torch.save(state, buffer)
        path = f"{self._own_folder(key)}/step-{step:010d}.pt"
        try:
            self._write(self.storage, key, path, buffer.getvalue())
        except Exception as error:
            logger.warning("the checkpoint %s goes to the spool: %s", path, error)
            self._save_in_spool(key, path, buffer.getvalue())
            return error
        _remove(self.spool, self._ours(self.spool, key))
        return None

    def load(self, key: str) -> dict[str, Any] | None:
        """The state of the newest readable checkpoint, or None.

        Raises:
            Exception: whatever the storage raises when it can't be asked.
        """
        import torch

        places = [(path, storage) for storage in (self.storage, self.spool) for path in storage.list(self._folder(key))]
        for path, storage in sorted(places, key=lambda place: place[0], reverse=True):
            try:
                content = storage.read(path)
            except FileNotFoundError:
                continue
            try:
                state: dict[str, Any] = torch.load(io.BytesIO(content), weights_only=True)
            except Exception as error:
                logger.warning("passed over the checkpoint %s: %s", path, error)
                continue
            return state
        return None

    def remove(self, key: str) -> None:
        """Remove all of a trial's but those of a successor; what can't be removed now is removed by `prune`."""
        for storage in (self.storage, self.spool):
            try:
                _remove(storage, self._ours(storage, key))
            except Exception as error:
                logger.warning("checkpoints of %s are left for later: %s", key, error)

    def _save_in_spool(self, key: str, path: str, content: bytes) -> None:
        try:
            self._write(self.spool, key, path, content)
        except Exception as error:
            logger.warning("there is no checkpoint %s: the spool did not take it either: %s", path, error)

    def _write(self, storage: Storage, key: str, path: str, content: bytes) -> None:
        """Write it, and remove older ones of the same trial."""
        storage.write(path, content)
        _remove(storage, self._ours(storage, key)[:-KEPT])

    def _ours(self, storage: Storage, key: str) -> list[str]:
        """The trial's, oldest first, up to this worker's own: what comes after is its successor's."""
        own = f"{self._own_folder(key)}/"
        return [path for path in storage.list(self._folder(key)) if path < own or path.startswith(own)]

    def _folder(self, key: str) -> str:
        return f"{_root(self.sweep)}/{_name(key)}"

    def _own_folder(self, key: str) -> str:
        return f"{self._folder(key)}/attempt-{self.attempt:05d}/sending-{self.sending:05d}"


def prune(storage: Storage, sweep: str, unfinished: Collection[str]) -> None:
    """Remove the checkpoints of all trials but the `unfinished`, and what killed writes have left of the sweep's files.

    No worker may be at work on the sweep.
    """
    try:
        storage.discard_partial(f"sweeps/{sweep}")
    except AwayError:
        raise
    except Exception as error:
        # On S3 it takes a right of its own, and what is left there is only a cost.
        logger.warning("what killed writes have left stays where it is: %s", error)
    keep = {_name(key) for key in unfinished}
    depth = len(PurePosixPath(_root(sweep)).parts)
    _remove(storage, (path for path in storage.list(_root(sweep)) if PurePosixPath(path).parts[depth] not in keep))


def _remove(storage: Storage, paths: Iterable[str]) -> None:
    for path in paths:
        storage.delete(path)


def _root(sweep: str) -> str:
    return f"sweeps/{sweep}/checkpoints"


def _name(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9._=-]+", "_", key)
