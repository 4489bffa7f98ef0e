"""Checkpoints of unfinished trials, in the sweep's storage.

Each attempt writes under its own number, so a worker that outlived its driver can't overwrite what its successor
writes. The newest one that can be read is used; a damaged one is passed over. A finished trial has none.
"""

from __future__ import annotations

import io
import logging
import re
from dataclasses import dataclass
from typing import Any

from kdsearch.storage import Storage

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CheckpointStore:
    """The checkpoints of the trials of one sweep, as attempt `attempt` writes them."""

    storage: Storage
    sweep: str
    attempt: int

    def save(self, key: str, step: int, state: dict[str, Any]) -> None:
        """Write the state after `step`, then remove what it replaces."""
        import torch

        buffer = io.BytesIO()
        torch.save(state, buffer)
        folder = self._folder(key)
        before = self.storage.list(folder)
        path = f"{folder}/attempt-{self.attempt:05d}/step-{step:010d}.pt"
        self.storage.write(path, buffer.getvalue())
        for old in before:
            if old != path:
                self.storage.delete(old)

    def load(self, key: str) -> dict[str, Any] | None:
        """The state of the newest readable checkpoint, or None."""
        import torch

        for path in sorted(self.storage.list(self._folder(key)), reverse=True):
            try:
                state: dict[str, Any] = torch.load(io.BytesIO(self.storage.read(path)), weights_only=True)
            except Exception as error:
                logger.warning("passed over the checkpoint %s: %s", path, error)
                continue
            return state
        return None

    def remove(self, key: str) -> None:
        for path in self.storage.list(self._folder(key)):
            self.storage.delete(path)

    def _folder(self, key: str) -> str:
        return f"sweeps/{self.sweep}/checkpoints/{re.sub(r'[^A-Za-z0-9._=-]+', '_', key)}"
