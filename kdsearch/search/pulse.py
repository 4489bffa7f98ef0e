"""What the driver looks at several times a second while trials run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.outage import Outage
from kdsearch.search.attempt import Attempt
from kdsearch.search.board import BOARD_LOST
from kdsearch.search.cluster import leaving_nodes
from kdsearch.tracking import Tracker

if TYPE_CHECKING:
    from kdsearch.search.board import BoardHandle
    from kdsearch.search.prepare import Preparation

STORAGE_POLL_SECONDS = 2.0
NODES_POLL_SECONDS = 1.0


class Pulse:
    """What is looked at several times a second while trials run."""

    def __init__(
        self,
        attempt: Attempt,
        tracker: Tracker,
        board: BoardHandle,
        preparation: Preparation,
        on_teacher: Callable[[dict[str, Any]], None],
        on_stopping: Callable[[], None],
        ledger: Outage,
        storage: Outage,
    ) -> None:
        self.error: Exception | None = None
        """Why data or teacher could not be made ready."""
        self._attempt = attempt
        self._tracker = tracker
        self._board = board
        self._preparation = preparation
        self._on_teacher = on_teacher
        self._on_stopping = on_stopping
        self._ledger = ledger
        self._storage = storage
        self._storage_answer: Any = None
        self._storage_reports = 0
        self._ask_storage_at = 0.0
        self._leaving: frozenset[str] = frozenset()
        self._ask_nodes_at = 0.0
        self._is_prepared = False
        self._is_stopping = False

    def __call__(self) -> None:
        from ray.exceptions import RayActorError

        try:
            self._look()
        except RayActorError:
            self._attempt.stop(BOARD_LOST)

    def _look(self) -> None:
        if not self._is_prepared and self._preparation.is_ready():
            self._take_teacher()
        self._hear_of_storage()
        self._hear_of_nodes()
        for failure in (self._tracker.failure, self._ledger.failure, self._storage.failure):
            if failure is not None:
                self._attempt.stop(failure)
        if self._attempt.stop_reason is not None and not self._is_stopping:
            self._is_stopping = True
            self._board.stop.remote()
            self._on_stopping()

    def _hear_of_storage(self) -> None:
        """Ask the board how the workers' checkpoints do; the answer is looked at when it is there."""
        import ray

        if self._storage_answer is None:
            if time.monotonic() >= self._ask_storage_at:
                self._storage_answer = self._board.storage_error.remote()
                self._ask_storage_at = time.monotonic() + STORAGE_POLL_SECONDS
        elif ray.wait([self._storage_answer], timeout=0)[0]:
            (reports, error), self._storage_answer = ray.get(self._storage_answer), None
            if reports != self._storage_reports:
                self._storage_reports = reports
                if error is None:
                    self._storage.came_back()
                else:
                    self._storage.went_away(error)

    def _hear_of_nodes(self) -> None:
        """Have the trials leave the nodes that are about to be taken away."""
        from ray.exceptions import RayError

        if time.monotonic() < self._ask_nodes_at:
            return
        self._ask_nodes_at = time.monotonic() + NODES_POLL_SECONDS
        try:
            leaving = leaving_nodes()
        except RayError:  # if it does not come back, others find out
            return
        if leaving != self._leaving:
            self._leaving = leaving
            self._board.leave.remote(leaving)

    def wait_for_teacher(self) -> None:
        while not self._is_prepared and self._attempt.stop_reason is None:
            self._preparation.is_ready(timeout=0.5)
            self()

    def _take_teacher(self) -> None:
        self._is_prepared = True
        try:
            self._on_teacher(self._preparation.result())
        except Exception as error:
            self.error = error
            self._attempt.stop("no data or no teacher")
