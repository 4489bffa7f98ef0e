"""The test split under seal: confirmation opens it, nothing else can, and who did is known."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdsearch.data.splits import Split

logger = logging.getLogger(__name__)

CONFIRMATION = "confirmation"
"""The one purpose for which the test split is opened."""


class TestSplitError(RuntimeError):
    """The test split was asked for by something that must not see it."""

    __test__ = False  # not a test case, whatever pytest makes of the name


class TestSplit:
    """The test samples of a data set, which are had by `open` alone.

    Each process has its own copy, which counts its own openings. (The fingerprint of the data set covers the test
    samples too: it is a hash of everything that was read, made before they are sealed.)
    """

    __test__ = False

    def __init__(self, split: Split) -> None:
        self._split = split
        self._openings: list[str] = []

    def __len__(self) -> int:
        return len(self._split)

    @property
    def openings(self) -> tuple[str, ...]:
        """Who has opened this copy, in order: keys of confirmation trials."""
        return tuple(self._openings)

    def open(self, purpose: str, by: str) -> Split:
        """The samples, for `by`, the key of a trial.

        Raises:
            TestSplitError: the purpose is another than confirmation.
        """
        if purpose != CONFIRMATION:
            raise TestSplitError(f"the test split is read in confirmation alone, not by {by} for {purpose!r}")
        self._openings.append(by)
        logger.info("the test split is opened by %s (number %d in this process)", by, len(self._openings))
        return self._split
