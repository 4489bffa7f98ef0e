"""A teacher's signals on a cluster whose head runs no trials: computed once, on all the other nodes."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import torch
from torch import nn

from kdsearch.config.schema import ResourcesConfig
from kdsearch.ledger import TrialState
from kdsearch.search.sharding import ShardedAnswers
from tests.e2e.harness import Workplace

pytestmark = pytest.mark.slow
CPU = torch.device("cpu")


def constant(index: int) -> np.ndarray:
    return np.full((3, 4), index, np.float32)


CHUNKS = [functools.partial(constant, index) for index in range(12)]


class Noting(nn.Module):
    """Adds up its inputs, and a line to a file named after the node that it is asked on."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        with (self.folder / ray.get_runtime_context().get_node_id()).open("a") as file:
            file.write(f"{int(inputs[0, 0])}\n")
        return inputs.cumsum(1)


class Dying(Noting):
    """Ends its process, unless it was made on this node."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.home = ray.get_runtime_context().get_node_id()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if ray.get_runtime_context().get_node_id() != self.home:
            os._exit(1)
        return super().forward(inputs)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A head without CPUs, and two nodes with two each."""
    from ray.cluster_utils import Cluster

    node: dict[str, Any] = {"object_store_memory": 150_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "num_cpus": 0, "include_dashboard": False})
    try:
        for number in (2, 3):
            cluster.add_node(**node, num_cpus=2, node_ip_address=f"127.0.0.{number}")
        yield cluster.address
    finally:
        cluster.shutdown()


@pytest.fixture
def driver(address: str) -> Iterator[str]:
    ray.init(address=address, log_to_driver=False)
    yield address
    ray.shutdown()


def on_a_node(network: type[Noting], folder: Path, patience: float) -> tuple[str, list[np.ndarray]]:
    """The node, and what is answered there."""
    asking = ShardedAnswers(ResourcesConfig(), "cpu", patience)
    return ray.get_runtime_context().get_node_id(), asking(network(folder).eval(), CHUNKS, CPU)


def answers(network: type[Noting], folder: Path, patience: float) -> str:
    """From a node that runs trials, which is returned; they are checked."""
    task: Any = ray.remote(num_cpus=1, max_retries=0)(on_a_node)
    node, found = ray.get(task.remote(network, folder, patience))
    expected = [np.cumsum(chunk(), axis=1) for chunk in CHUNKS]
    assert len(found) == len(expected) and all(map(np.array_equal, found, expected)), "in the order of the samples"
    return str(node)


def asked(folder: Path) -> dict[str, list[int]]:
    """Which chunks each node was asked about."""
    return {file.name: [int(line) for line in file.read_text().split()] for file in folder.iterdir()}


def test_each_chunk_is_answered_once_and_all_nodes_take_part(driver: str, tmp_path: Path) -> None:
    answers(Noting, tmp_path, patience=120)
    nodes = asked(tmp_path)
    workers = {node["NodeID"] for node in ray.nodes() if node["Resources"].get("CPU", 0) > 0}
    assert set(nodes) == workers and len(workers) == 2, "all but the head"
    assert sorted(index for part in nodes.values() for index in part) == list(range(len(CHUNKS)))


def test_a_node_that_fails_is_done_without(driver: str, tmp_path: Path) -> None:
    node = answers(Dying, tmp_path, patience=120)
    assert set(asked(tmp_path)) == {node}


def test_nodes_without_room_are_not_waited_for(driver: str, tmp_path: Path) -> None:
    holder: Any = ray.remote(num_cpus=2)(Counter)
    held = holder.remote()  # the whole of one node
    ray.get(held.total.remote())
    node = answers(Noting, tmp_path, patience=1)
    assert set(asked(tmp_path)) == {node}


def test_a_sweep_with_signals_in_the_storage(address: str, tmp_path: Path) -> None:
    """No signal is in the object store; its trials are trained to the end."""
    workplace = Workplace(tmp_path, address)
    small = ("sample_counts=[20]", "trials_per_count=2", "controls=[]", "confirm.top_k=0")
    workplace.run(*workplace.sweep_words(*small, "resources.signals_in_memory=0"), timeout=280)
    assert [record.state for record in workplace.load().records] == [TrialState.COMPLETE] * 2
