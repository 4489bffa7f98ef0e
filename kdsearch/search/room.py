"""How many packs may be out at once, and whether a trial has room anywhere: what the cluster has, and may grow to."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from kdsearch.config.schema import ResourcesConfig
from kdsearch.config.schema import SweepConfig
from kdsearch.errors import Problem

LOOK_SECONDS = 2.0
"""So often the cluster is asked how large it is."""

JOIN_SECONDS = 120.0
"""A driver may be there before the workers of its cluster, whose images are pulled, say."""

MOST_OUT = 1_000
"""Packs; as many placement groups as Ray was tried with."""

KEYS = {"CPU": "cpus_per_trial", "GPU": "gpus_per_trial"}


class Room:
    """How many packs may be out at once: as many as the cluster has room for now, and one more for the next free place.

    Where an autoscaler can start nodes, as many as all of them have room for: it grows by what waits, so that a cluster
    without nodes would grow by one after the other. A number under `resources.max_concurrent` is asked for at once,
    however many nodes are there.
    """

    def __init__(self, config: SweepConfig, pack_size: int) -> None:
        """`pack_size` is that of the largest pack: `max_concurrent` counts trials."""
        self._resources = config.resources
        self._pack_size = pack_size
        self._found = 0
        self._look_at = 0.0

    def __call__(self) -> int:
        wanted = self._resources.max_concurrent
        if wanted != "auto":
            return max(1, wanted // self._pack_size)
        if time.monotonic() >= self._look_at:
            self._found = max(slots(self._resources) + 1, grown_slots(self._resources))
            self._look_at = time.monotonic() + LOOK_SECONDS
        return self._found


def slots(wanted: ResourcesConfig) -> int:
    """How many trials the cluster can train at once, as it stands; at least 1."""
    import ray

    return max(1, slots_in(ray.cluster_resources(), wanted))


def grown_slots(wanted: ResourcesConfig) -> int:
    """How many it can train at once when its autoscaler has started all nodes that it may, at most `MOST_OUT`."""
    return max(slots(wanted), min(slots_in(reachable(autoscaler_groups()), wanted), MOST_OUT))


def slots_in(resources: Mapping[str, float], wanted: ResourcesConfig) -> int:
    """How many trials find room in so many `CPU` and `GPU`."""
    by_cpu = int(resources.get("CPU", 0) / wanted.cpus_per_trial)
    if wanted.gpus_per_trial == 0:
        return by_cpu
    return min(by_cpu, int(resources.get("GPU", 0) / wanted.gpus_per_trial))


Group = tuple[Mapping[str, float], int]
"""What a node of a kind has, and how many there may be."""


def autoscaler_groups() -> list[Group] | None:
    """The nodes that the cluster's autoscaler may have; None where there is none, or it does not say."""
    from ray._private.state import state

    config = state.get_cluster_config()
    return None if config is None else groups_of(config)


def groups_of(config: Any) -> list[Group]:
    """Of Ray's `ClusterConfig`, where -1 is without a limit."""
    groups: list[Group] = []
    for group in config.node_group_configs:
        count = group.max_count if group.max_count >= 0 else sys.maxsize
        groups.append((dict(group.resources), count))
    return groups


def reachable(groups: Iterable[Group] | None) -> dict[str, float]:
    """What all nodes together would have."""
    found: dict[str, float] = {}
    for resources, count in groups or []:
        for name in KEYS.keys() & resources.keys():
            found[name] = found.get(name, 0.0) + resources[name] * count
    return found


def wait_for_room(wanted: ResourcesConfig, say: Callable[[str], None], go_on: Callable[[], bool]) -> list[Problem]:
    """What is wrong where no node has room for a trial, nor any that may come; nodes have `JOIN_SECONDS` to join."""
    deadline = time.monotonic() + JOIN_SECONDS
    problems = no_room(wanted)
    if problems:
        say(f"waiting for a node with room for a trial ({'; '.join(map(str, problems))})")
    while problems and go_on() and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        problems = no_room(wanted)
    return problems if go_on() else []


def no_room(wanted: ResourcesConfig) -> list[Problem]:
    """What a trial asks for that no node has, nor any that the autoscaler may start; empty where that is not known."""
    import ray

    nodes: list[Mapping[str, float]] = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    groups = autoscaler_groups()
    if groups is None and not _is_fixed():
        return []
    nodes += [resources for resources, count in groups or [] if count > 0]
    return problems_on(nodes, wanted)


def problems_on(nodes: Iterable[Mapping[str, float]], wanted: ResourcesConfig) -> list[Problem]:
    """One per resource of which no node has enough; where each is on some node, but not together, the last one."""
    nodes = list(nodes)
    asked = {"CPU": wanted.cpus_per_trial, "GPU": wanted.gpus_per_trial}
    if any(all(node.get(name, 0) >= least for name, least in asked.items()) for node in nodes):
        return []
    most = {name: max((node.get(name, 0) for node in nodes), default=0) for name in asked}
    short = [name for name, least in asked.items() if least > most[name]] or ["GPU"]
    return [Problem(f"resources.{KEYS[name]}", asked[name], _allowed(name, most[name], asked)) for name in short]


def _allowed(name: str, most: float, asked: Mapping[str, float]) -> str:
    if asked[name] > most:
        return f"must be <= {most:g}, what the cluster's largest node has"
    return f"no node of the cluster has {asked['GPU']:g} GPUs and {asked['CPU']:g} CPUs together"


def _is_fixed() -> bool:
    """Whether no autoscaler can change the cluster: `ray start` alone runs a monitor that names nodes by their ids."""
    from ray.experimental.internal_kv import _internal_kv_get

    status = _internal_kv_get("__autoscaling_status")
    if not status:
        return True
    active = json.loads(status).get("autoscaler_report", {}).get("active_nodes") or {}
    return all(kind.startswith("node_") for kind in active)
