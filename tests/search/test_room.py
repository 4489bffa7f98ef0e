"""How much may be out at once, on clusters that can grow and such that cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.core.generated import autoscaler_pb2

from kdsearch.config.schema import ResourcesConfig
from kdsearch.search import room
from kdsearch.search.room import groups_of
from kdsearch.search.room import problems_on
from kdsearch.search.room import reachable
from kdsearch.search.room import slots_in
from kdsearch.search.room import wait_for_room

HEAD = {"CPU": 0.0, "memory": 1e9}
WORKER = {"CPU": 8.0, "GPU": 1.0}


def cluster_config(most_workers: int) -> Any:
    """As Ray's autoscaler says it: a head that runs no trials, and GPU workers from 0."""
    config = autoscaler_pb2.ClusterConfig()  # type: ignore[attr-defined]
    config.node_group_configs.add(name="head", max_count=1).resources.update({"CPU": 0})
    config.node_group_configs.add(name="gpu", max_count=most_workers).resources.update({"CPU": 8, "GPU": 1})
    return config


def test_a_cluster_without_workers_is_asked_for_all_that_it_may_grow_to() -> None:
    quarter = ResourcesConfig(gpus_per_trial=0.25)
    most = reachable(groups_of(cluster_config(most_workers=8)))
    assert most == {"CPU": 64, "GPU": 8}
    assert slots_in(most, quarter) == 32
    assert slots_in(HEAD, quarter) == 0
    assert slots_in(reachable(groups_of(cluster_config(most_workers=-1))), quarter) > 1_000


def test_without_an_autoscaler_there_is_nothing_to_grow_to() -> None:
    assert reachable(None) == {} and slots_in({}, ResourcesConfig()) == 0


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"cpus_per_trial": 9}, ["resources.cpus_per_trial=9.0: must be <= 8, what the cluster's largest node has"]),
        ({"gpus_per_trial": 2}, ["resources.gpus_per_trial=2.0: must be <= 1, what the cluster's largest node has"]),
        (
            {"cpus_per_trial": 20, "gpus_per_trial": 1},
            ["resources.gpus_per_trial=1.0: no node of the cluster has 1 GPUs and 20 CPUs together"],
        ),
        ({"cpus_per_trial": 8, "gpus_per_trial": 1}, []),
    ],
)
def test_a_trial_that_no_node_has_room_for_is_told(wanted: dict[str, Any], said: list[str]) -> None:
    nodes = [HEAD, WORKER, *([{"CPU": 32.0}] if wanted.get("cpus_per_trial") == 20 else [])]
    assert [str(problem) for problem in problems_on(nodes, ResourcesConfig(**wanted))] == said


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Of one node with one CPU, and no autoscaler."""
    node: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 150_000_000, "include_dashboard": False}
    started = Cluster(initialize_head=True, head_node_args=node)
    try:
        ray.init(address=started.address, log_to_driver=False)
        yield started
    finally:
        ray.shutdown()
        started.shutdown()


@pytest.mark.slow
def test_a_node_that_comes_later_is_waited_for_and_one_that_does_not_is_missed(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def add_a_node(text: str) -> None:
        said.append(text)
        cluster.add_node(num_cpus=4, object_store_memory=150_000_000)

    assert wait_for_room(ResourcesConfig(), said.append, lambda: True) == [] and said == []
    assert wait_for_room(ResourcesConfig(cpus_per_trial=4), add_a_node, lambda: True) == []
    assert len(said) == 1 and "resources.cpus_per_trial=4.0: must be <= 1" in said[0]
    monkeypatch.setattr(room, "JOIN_SECONDS", 0.0)
    (problem,) = wait_for_room(ResourcesConfig(cpus_per_trial=64), said.append, lambda: True)
    assert str(problem) == "resources.cpus_per_trial=64.0: must be <= 4, what the cluster's largest node has"
    assert wait_for_room(ResourcesConfig(cpus_per_trial=64), said.append, lambda: False) == []
