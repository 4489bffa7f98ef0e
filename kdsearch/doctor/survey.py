"""The nodes that a sweep would run on, each asked to look around."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kdsearch.config.schema import SweepConfig
from kdsearch.doctor.finding import first_line
from kdsearch.doctor.ports import DASHBOARD
from kdsearch.doctor.ports import DEFAULT_PORTS
from kdsearch.doctor.ports import GCS
from kdsearch.doctor.probe import DataReport
from kdsearch.doctor.probe import NodeReport
from kdsearch.doctor.probe import clock
from kdsearch.doctor.probe import load_data
from kdsearch.doctor.probe import look_around
from kdsearch.doctor.storage import shown_to_nodes
from kdsearch.search.knock import Unreachable
from kdsearch.search.knock import silent

REPORT_SECONDS = 90
"""A node may have to start a Python process and import torch from a slow disk first."""
DATA_SECONDS = 300
CLOCK_SECONDS = 5
CLOCK_ROUNDS = 5


@dataclass(frozen=True)
class Skew:
    """How far a node's clock is ahead of the driver's, in seconds, and how exactly that is known."""

    ahead: float
    error: float


@dataclass(frozen=True)
class Node:
    """One node and what it reported. `problem` says why a report is missing."""

    name: str
    cpus: float
    gpus: float
    report: NodeReport | None = None
    data: DataReport | None = None
    skew: Skew | None = None
    problem: str = ""


@dataclass(frozen=True)
class Survey:
    nodes: Sequence[Node]
    free: Mapping[str, float] = field(default_factory=dict)
    """Ray's resources that nobody has claimed at the moment."""
    is_own: bool = False
    """Whether it is this machine, on which Ray does not run yet."""


def survey_machine(config: SweepConfig) -> Survey:
    """This machine, looked at in this process; Ray is not started."""
    from kdsearch.config.check_machine import available_cpus
    from kdsearch.config.check_machine import visible_gpus

    data = load_data(config.dataset)
    report = look_around(config)
    node = Node("this machine", available_cpus(), visible_gpus(), report, data)
    return Survey([node], {"CPU": node.cpus, "GPU": node.gpus}, is_own=True)


def survey_cluster(config: SweepConfig) -> Survey:
    """Every node that is alive, of a cluster that answers a `knock`.

    Raises:
        Unreachable: the cluster cannot be joined.
    """
    with _joined(config) as ray:
        nodes = [node for node in ray.nodes() if node["Alive"]]
        ids = {name: node["NodeID"] for name, node in zip(_names(nodes), nodes, strict=True)}
        with shown_to_nodes(config.storage) as shown:
            loading = _begin(ids, load_data, config.dataset)
            reports, problems = _collect(_begin(ids, look_around, config, shown, _ray_ports(ray)), REPORT_SECONDS)
            data, data_problems = _collect(loading, DATA_SECONDS)
        skews = {name: skew for name in reports if (skew := _skew(ids[name])) is not None}
        found = [
            Node(
                name,
                node["Resources"].get("CPU", 0.0),
                node["Resources"].get("GPU", 0.0),
                reports.get(name),
                data.get(name),
                skews.get(name),
                problems.get(name) or data_problems.get(name, ""),
            )
            for name, node in zip(ids, nodes, strict=True)
        ]
        return Survey(found, ray.available_resources())


@contextlib.contextmanager
def _joined(config: SweepConfig) -> Iterator[Any]:
    """Connected to the cluster, in the way of a sweep."""
    from kdsearch.search.cluster import ray_cluster

    with contextlib.ExitStack() as stack:
        try:
            with silent():
                stack.enter_context(ray_cluster(config))
        except Exception as error:
            raise Unreachable(first_line(error)) from error
        import ray

        yield ray


def _ray_ports(ray: Any) -> dict[int, str]:
    """Where this cluster's own services may listen, beside the ports that they have by default."""
    addresses = {
        DASHBOARD: ray._private.worker.global_worker.node.webui_url,
        GCS: ray.get_runtime_context().gcs_address,
    }
    found = {name: str(address or "").rpartition(":")[2] for name, address in addresses.items()}
    return DEFAULT_PORTS | {int(port): name for name, port in found.items() if port.isdigit()}


def _begin(ids: Mapping[str, str], function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """Start `function` on each node, beside whatever is running there."""
    import ray

    return {name: _on(node_id, ray.remote(function)).remote(*arguments) for name, node_id in ids.items()}


def _on(node_id: str, task: Any) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    strategy = NodeAffinitySchedulingStrategy(node_id, soft=False)
    return task.options(num_cpus=0, max_retries=0, scheduling_strategy=strategy)


def _collect(running: Mapping[str, Any], seconds: float) -> tuple[dict[str, Any], dict[str, str]]:
    """The results that came in time, and why the others did not, by node."""
    import ray
    from ray.exceptions import RayError

    done, late = ray.wait(list(running.values()), num_returns=len(running), timeout=seconds)
    results, problems = {}, {}
    for name, reference in running.items():
        if reference in late:
            ray.cancel(reference, force=True)
            problems[name] = f"no answer within {seconds:g} s"
            continue
        try:
            results[name] = ray.get(reference)
        except (RayError, ImportError, RuntimeError) as error:
            problems[name] = _last_words(error)
    return results, problems


def _last_words(error: BaseException) -> str:
    """The line of a remote traceback that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "Error" in line), lines[-1] if lines else type(error).__name__)


def _skew(node_id: str) -> Skew | None:
    """Of several rounds, the one that took least time: the node's clock was read half-way through."""
    import ray
    from ray.exceptions import RayError

    task = _on(node_id, ray.remote(clock))
    best: Skew | None = None
    for _ in range(CLOCK_ROUNDS):
        began, before = time.time(), time.monotonic()
        try:
            there = ray.get(task.remote(), timeout=CLOCK_SECONDS)
        except RayError:
            return best
        took = time.monotonic() - before
        if best is None or took / 2 < best.error:
            best = Skew(there - began - took / 2, took / 2)
    return best


def _names(nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Host names; where they are not unique, with the beginning of the node's id."""
    hosts = [str(node["NodeManagerHostname"] or node["NodeManagerAddress"]) for node in nodes]
    counts = Counter(hosts)
    return [
        host if counts[host] == 1 else f"{host}/{node['NodeID'][:6]}" for host, node in zip(hosts, nodes, strict=True)
    ]
