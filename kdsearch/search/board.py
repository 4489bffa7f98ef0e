"""A small actor between driver and workers: verdicts at decision points, stop or leave, how the storage does."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Collection
from enum import StrEnum
from typing import Any

from kdsearch.outage import Outage
from kdsearch.outage import short

BOARD_LOST = "Ray lost the node that the driver is connected to"


class Wish(StrEnum):
    """Why a worker is to checkpoint its trials now and end them."""

    STOP = "stop"
    """The sweep stops."""
    LEAVE = "leave"
    """The worker's node is about to be taken away."""


class Board:
    """A verdict is written before the report it answers returns to the worker, so the worker finds it at once."""

    def __init__(self) -> None:
        self._pruned: dict[tuple[str, int], bool] = {}
        self._stopping = False
        self._leaving: Collection[str] = ()
        self._storage_reports = 0
        self._storage_error: str | None = None

    def put_verdict(self, key: str, step: int, prune: bool) -> None:
        self._pruned[key, step] = prune

    def take_verdict(self, key: str, step: int) -> bool:
        """Whether trial `key` is to be pruned after its report at `step`."""
        return self._pruned.pop((key, step), False)

    def stop(self) -> None:
        self._stopping = True

    def leave(self, nodes: Collection[str]) -> None:
        """These nodes, by Ray's ids, are the ones that are about to be taken away."""
        self._leaving = nodes

    def wish(self, node: str) -> Wish | None:
        """What is wished of the workers on a node."""
        if self._stopping:
            return Wish.STOP
        return Wish.LEAVE if node in self._leaving else None

    def put_storage_error(self, error: str | None) -> None:
        """How a worker's last write to the storage went."""
        self._storage_reports += 1
        self._storage_error = error

    def storage_error(self) -> tuple[int, str | None]:
        """How many workers' reports there were, and what the last one said."""
        return self._storage_reports, self._storage_error


BoardHandle = Any
"""A Ray actor handle of a `Board`: each method has a `.remote()`. (Ray's own type knows no methods.)"""


class BoardOutage(Outage):
    """A storage that a worker finds away: every time, and when it answers, the driver hears of it and warns."""

    def __init__(self, board: BoardHandle, is_stopping: Callable[[], bool] = lambda: False) -> None:
        """The driver ends the wait, when its own patience is over."""
        super().__init__("The storage", math.inf, lambda message: None, is_stopping=is_stopping)
        self._board = board

    def went_away(self, error: BaseException | str) -> None:
        super().went_away(error)
        self._board.put_storage_error.remote(short(str(error) or type(error).__name__))

    def came_back(self) -> None:
        super().came_back()
        self._board.put_storage_error.remote(None)


def start_board() -> BoardHandle:
    """Start the board where the driver runs; it takes no CPU from the trials and ends with the driver."""
    import ray

    board: Any = ray.remote(Board)
    return board.options(num_cpus=0, scheduling_strategy=on_this_node()).remote()


def on_this_node() -> Any:
    """Ray's scheduling strategy for what is to run where the driver does."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
