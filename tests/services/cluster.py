"""A Ray cluster of several nodes on this machine, whose processes can be found and killed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import Self

TRAINING = "ray::ImplicitFunc.train"
"""The title of a process that is training a trial of Ray Tune."""
OF_RAY = ("ray::IDLE", "ray::DashboardAgent", "ray::RuntimeEnvAgent")
NODE = {"object_store_memory": 150_000_000}


class RayCluster:
    """Nodes of one CPU each. `environment` is what their workers see; session files lie below its TMPDIR.

    To be used from the main thread alone: Ray installs signal handlers.
    """

    def __init__(self, nodes: int, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._node_count = nodes
        self._others: list[Any] = []
        self._addresses = (f"127.0.0.{number}" for number in range(2, 255))
        self._cluster: Any = None

    def __enter__(self) -> Self:
        from ray.cluster_utils import Cluster

        with _environment(self._environment):
            head = {**NODE, "num_cpus": 1, "include_dashboard": False}
            self._cluster = Cluster(initialize_head=True, head_node_args=head)
        for _ in range(self._node_count - 1):
            self.add_node()
        return self

    def __exit__(self, *error: object) -> None:
        self._cluster.shutdown()

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    @property
    def session_folder(self) -> Path:
        return Path(self._cluster.head_node.get_session_dir_path())

    def add_node(self) -> None:
        """Add a node at an address of its own, so that a driver on this machine connects to the head alone."""
        with _environment(self._environment):
            self._others.append(self._cluster.add_node(**NODE, num_cpus=1, node_ip_address=next(self._addresses)))

    @property
    def last_node(self) -> str:
        """Ray's id of the node that was added last."""
        return str(self._others[-1].node_id)

    def remove_node(self) -> None:
        """Kill the node that was added last, with everything on it."""
        self._cluster.remove_node(self._others.pop(), allow_graceful=False)

    def trial_processes(self) -> list[int]:
        """The workers that are training a trial now."""
        return [pid for pid, title in self._workers().items() if title.startswith(TRAINING)]

    def sweep_processes(self) -> dict[int, str]:
        """The workers that belong to some sweep, with their titles."""
        workers = self._workers().items()
        return {pid: title for pid, title in workers if title.startswith("ray::") and not title.startswith(OF_RAY)}

    def _workers(self) -> dict[int, str]:
        """Titles of the raylets' children, by process id."""
        nodes = self._cluster.list_all_nodes()
        raylets = {raylet.process.pid for node in nodes for raylet in node.all_processes.get("raylet", ())}
        return {pid: _title(pid) for pid in _children(raylets)}


def _children(parents: set[int]) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = status.read_text().rpartition(")")[2].split()[1]
            if int(parent) in parents:
                found.append(int(status.parent.name))
    return found


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
