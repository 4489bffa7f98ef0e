"""Results that the ledger could not take yet, on local disk, so that not even the driver's death loses them."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from collections.abc import Iterable
from pathlib import Path

from kdsearch.search.pack import Outcome
from kdsearch.search.pack import decode_message
from kdsearch.search.pack import encode_message

logger = logging.getLogger(__name__)


class Spool:
    """One line per result, in the order they came; bounded by the trials that were out when the ledger went away."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def keep(self, outcome: Outcome) -> None:
        """Write it down; where the disk takes nothing either, the trial is trained on from its checkpoint."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            _append(self._file, [outcome])
        except OSError as error:
            logger.warning("the result of %s could not be kept on disk: %s", outcome.key, error)

    def outcomes(self) -> dict[str, Outcome]:
        """What was kept, by trial key; a line that was cut off by a crash is passed over."""
        found: dict[str, Outcome] = {}
        try:
            lines = self._file.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return found
        for line in lines:
            try:
                (outcome,) = decode_message(line)
            except ValueError:
                continue
            assert isinstance(outcome, Outcome)
            found[outcome.key] = outcome
        return found

    def forget(self, keys: Collection[str]) -> None:
        """They are in the ledger."""
        left = [outcome for key, outcome in self.outcomes().items() if key not in keys]
        if not left:
            self._file.unlink(missing_ok=True)
            return
        # A driver that dies in between must not take along what is left.
        shorter = self._file.with_suffix(".shorter")
        shorter.unlink(missing_ok=True)
        _append(shorter, left)
        shorter.replace(self._file)


def _append(path: Path, outcomes: Iterable[Outcome]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(encode_message([outcome]) + "\n" for outcome in outcomes)
        file.flush()
        os.fsync(file.fileno())
