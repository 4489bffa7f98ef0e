"""A teacher's signals, computed on all nodes of the cluster that have room for a trial."""

from __future__ import annotations

import copy
import functools
import time
from collections import deque
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.config.schema import ResourcesConfig
from kdsearch.teacher.answers import ask
from kdsearch.teacher.answers import ask_here

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from ray import ObjectRef
    from torch import nn

    from kdsearch.teacher.answers import Chunk

    Send = Callable[[ObjectRef[Any], NDArray[np.generic]], ObjectRef[Any]]
    """Has a network asked about inputs on some node."""

MIN_CHUNKS = 4
"""Fewer are answered before another node has started a process."""
AHEAD = 2
"""Chunks that are under way to each other node."""
PATIENCE = 5.0


class ShardedAnswers:
    """An `Ask` for a task on a cluster: chunks go to other nodes as they ask for more, and are answered here meanwhile.

    No chunk depends on another node: what one with no room, or one that is lost, does not answer is computed here. So
    it cannot wait for ever for room that trials of another sweep have.
    """

    def __init__(self, resources: ResourcesConfig, device: str, patience: float = PATIENCE) -> None:
        """
        Args:
            device: as in `training.device`, for the processes on other nodes.
            patience: seconds that the last answers of other nodes are waited for, at least.
        """
        self._resources = resources
        self._device = device
        self._patience = patience

    def __call__(self, model: nn.Module, chunks: Sequence[Chunk], device: torch.device) -> list[NDArray[np.float32]]:
        nodes = self._other_nodes()
        if not nodes or len(chunks) < MIN_CHUNKS:
            return ask_here(model, chunks, device)
        return _Round(self._tasks(nodes), model, chunks, device, self._patience).answers()

    def _other_nodes(self) -> list[str]:
        """Ids of those that a trial fits on."""
        import ray

        mine, wanted = ray.get_runtime_context().get_node_id(), self._resources
        return [
            node["NodeID"]
            for node in ray.nodes()
            if node["Alive"]
            and node["NodeID"] != mine
            and node["Resources"].get("CPU", 0) >= wanted.cpus_per_trial
            and node["Resources"].get("GPU", 0) >= wanted.gpus_per_trial
        ]

    def _tasks(self, nodes: Sequence[str]) -> list[Send]:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        cpus, gpus = self._resources.cpus_per_trial, self._resources.gpus_per_trial
        task: Any = ray.remote(_answer)
        options = {"num_cpus": cpus, "num_gpus": gpus, "max_retries": 0}
        places = [NodeAffinitySchedulingStrategy(node, soft=False) for node in nodes]
        remotes = [task.options(**options, scheduling_strategy=place).remote for place in places]
        return [functools.partial(remote, self._device, gpus, max(1, int(cpus))) for remote in remotes]


class _Round:
    """One network, asked about all chunks: others take them from the end, this process from the beginning."""

    def __init__(
        self,
        tasks: Sequence[Send],
        model: nn.Module,
        chunks: Sequence[Chunk],
        device: torch.device,
        patience: float,
    ) -> None:
        import ray

        self._model, self._chunks, self._device = model, chunks, device
        self._shipped = ray.put(copy.deepcopy(model).cpu())
        self._left = deque(range(len(chunks)))
        self._idle = deque(task for _ in range(AHEAD) for task in tasks)
        self._out: dict[ObjectRef[Any], tuple[int, Send]] = {}
        self._answers: dict[int, NDArray[np.float32]] = {}
        self._patience = patience
        self._slowest = 0.0

    def answers(self) -> list[NDArray[np.float32]]:
        import ray

        while self._left or self._out:
            while self._idle and len(self._left) > 1:
                self._send(self._left.pop(), self._idle.popleft())
            if self._left:
                self._answer_here(self._left.popleft())
                self._take(0.0)
            elif not self._take(max(self._patience, 2 * self._slowest)):
                for ref, (index, _) in self._out.items():
                    ray.cancel(ref)
                    self._left.append(index)
                self._out.clear()
                self._idle.clear()
        return [self._answers[index] for index in range(len(self._chunks))]

    def _send(self, index: int, task: Send) -> None:
        self._out[task(self._shipped, self._chunks[index]())] = index, task

    def _answer_here(self, index: int) -> None:
        started = time.monotonic()
        self._answers[index] = ask(self._model, self._chunks[index](), self._device)
        self._slowest = max(self._slowest, time.monotonic() - started)

    def _take(self, timeout: float) -> bool:
        """Take what has come from others within `timeout` seconds; whether anything has."""
        ready = list(self._ready(timeout))
        for ref in ready:
            index, task = self._out.pop(ref)
            if (answer := _answered(ref)) is None:
                self._left.append(index)  # and nothing more goes there
            else:
                self._answers[index] = answer
                self._idle.append(task)
        return bool(ready)

    def _ready(self, timeout: float) -> Iterator[ObjectRef[Any]]:
        import ray

        if self._out:
            first, _ = ray.wait(list(self._out), timeout=timeout)
            if first:
                yield from ray.wait(list(self._out), num_returns=len(self._out), timeout=0)[0]


def _answered(ref: ObjectRef[Any]) -> NDArray[np.float32] | None:
    """None where the node is gone, or its process has failed: what is wrong with the network shows here too."""
    import ray
    from ray.exceptions import RayError

    try:
        answer: NDArray[np.float32] = ray.get(ref)
    except RayError:
        return None
    return answer


def _answer(
    device: str, gpus: float, threads: int, model: nn.Module, inputs: NDArray[np.generic]
) -> NDArray[np.float32]:
    import torch

    from kdsearch.search.prepare import keep_to_share
    from kdsearch.search.prepare import training_device

    torch.set_num_threads(threads)
    keep_to_share(gpus)
    where = training_device(device, gpus)
    # What comes from the object store is read-only.
    return ask(copy.deepcopy(model).to(where), inputs.copy(), where)
