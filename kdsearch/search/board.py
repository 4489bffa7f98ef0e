"""A small actor through which the driver speaks to the workers: verdicts at decision points, and the word to stop."""

from __future__ import annotations

from typing import Any


class Board:
    """A verdict is written before the report it answers returns to the worker, so the worker finds it at once."""

    def __init__(self) -> None:
        self._pruned: dict[tuple[str, int], bool] = {}
        self._stopping = False

    def put_verdict(self, key: str, step: int, prune: bool) -> None:
        self._pruned[key, step] = prune

    def take_verdict(self, key: str, step: int) -> bool:
        """Whether trial `key` is to be pruned after its report at `step`."""
        return self._pruned.pop((key, step), False)

    def stop(self) -> None:
        self._stopping = True

    def stopping(self) -> bool:
        return self._stopping


BoardHandle = Any
"""A Ray actor handle of a `Board`: each method has a `.remote()`. (Ray's own type knows no methods.)"""


def start_board() -> BoardHandle:
    """Start the board where the driver runs; it takes no CPU from the trials and ends with the driver."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    board: Any = ray.remote(Board)
    return board.options(num_cpus=0, scheduling_strategy=here).remote()
