"""What the doctor finds on the nodes of a Ray cluster."""

from __future__ import annotations

import socket
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdsearch.config.compose import compose_sweep
from kdsearch.doctor.access import access_finding
from kdsearch.doctor.finding import Finding
from kdsearch.doctor.finding import Status
from kdsearch.doctor.nodes import clocks_finding
from kdsearch.doctor.nodes import data_finding
from kdsearch.doctor.nodes import devices_finding
from kdsearch.doctor.nodes import ray_finding
from kdsearch.doctor.nodes import versions_finding
from kdsearch.doctor.ports import OpenPort
from kdsearch.doctor.ports import open_ports
from kdsearch.doctor.probe import DataReport
from kdsearch.doctor.probe import NodeReport
from kdsearch.doctor.probe import busy_remark
from kdsearch.doctor.survey import Node
from kdsearch.doctor.survey import Skew
from kdsearch.doctor.survey import Survey
from tests.doctor.conftest import Examine
from tests.doctor.conftest import bad
from tests.doctor.conftest import own_code

NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 100_000_000}
REPORT = NodeReport({"python": "3.12.1", "torch": "2.9.0+cpu"}, "/tmp", 10**11, (), None, None, None)
GIBIBYTE = 2**30


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one CPU each."""
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    try:
        started.add_node(**NODE)
        yield started
    finally:
        started.shutdown()


@pytest.fixture
def ray_address(cluster: Any) -> str:
    return str(cluster.address)


@pytest.fixture
def add_node(cluster: Any) -> Iterator[Callable[..., None]]:
    """Add a node with an environment of its own, for one test."""
    added = []
    yield lambda **environment: added.append(cluster.add_node(**NODE, env_vars=environment))
    for node in added:
        cluster.remove_node(node)


def test_all_nodes_are_alike(examined: Examine, folder: Path, ray_address: str) -> None:
    findings = examined(f"cluster.address={ray_address}")
    assert {check for check, f in findings.items() if f.status is not Status.OK} <= {"access"}
    # Ray turns it on by itself where it finds a token of an earlier cluster.
    assert "token authentication is o" in findings["access"].found
    assert "2 nodes, 2 CPUs, 0 GPUs" in findings["ray"].found
    for check in ("storage", "data", "models", "versions"):
        assert "the same on 2 nodes" in findings[check].found
    assert "2 nodes within" in findings["clocks"].found
    assert not list(folder.iterdir())


def test_code_that_only_the_driver_can_import(
    examined: Examine, tmp_path: Path, ray_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = own_code("only_on_the_driver", tmp_path / "elsewhere")
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    assert not bad(examined(*overrides))
    findings = examined(f"cluster.address={ray_address}", *overrides)
    assert bad(findings) == ["data", "models"]
    assert "all 2 nodes: dataset._target_=only_on_the_driver.load: cannot be imported" in findings["data"].found
    assert "→ install the module on every node" in findings["models"].found


def test_a_node_with_other_versions(
    examined: Examine, tmp_path: Path, ray_address: str, add_node: Callable[..., None]
) -> None:
    information = tmp_path / "packages" / "optuna-4.9.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: optuna\nVersion: 4.9.0\n")
    add_node(PYTHONPATH=str(information.parent))
    findings = examined(f"cluster.address={ray_address}")
    assert bad(findings) == ["versions"]
    assert "and 4.9.0 on node" in findings["versions"].found


def test_a_node_without_this_kdsearch(
    examined: Examine, tmp_path: Path, ray_address: str, add_node: Callable[..., None]
) -> None:
    (tmp_path / "packages" / "kdsearch").mkdir(parents=True)
    (tmp_path / "packages" / "kdsearch" / "__init__.py").write_text("")
    add_node(PYTHONPATH=str(tmp_path / "packages"))
    findings = examined(f"cluster.address={ray_address}")
    assert bad(findings) == ["ray"]
    assert "No module named 'kdsearch" in findings["ray"].found and "→ install this kdsearch" in findings["ray"].found
    assert findings["data"].status is Status.OK


def test_more_than_any_node_has() -> None:
    overrides = ["cluster.address=auto", "resources.cpus_per_trial=2", "resources.gpus_per_trial=0.5"]
    config = compose_sweep(overrides).config
    survey = Survey([Node("a", 1, 0, REPORT), Node("b", 1, 0, REPORT)], {"CPU": 2.0})
    ray, devices = ray_finding(config, survey), devices_finding(config, survey)
    assert ray.is_bad and "cpus_per_trial=2, and no node has more than 1" in ray.found
    assert devices.is_bad and "gpus_per_trial=0.5, and no node has more than 0" in devices.found


def test_a_cluster_that_others_use() -> None:
    finding = ray_finding(compose_sweep(["cluster.address=auto"]).config, Survey([Node("a", 1, 0, REPORT)]))
    assert finding.status is Status.WARN and "no CPU is free" in finding.found


def test_clocks_that_differ() -> None:
    def finding(*ahead: float, error: float = 0.01) -> Any:
        return clocks_finding(
            Survey([Node(f"n{place}", 1, 0, REPORT, skew=Skew(a, error)) for place, a in enumerate(ahead)])
        )

    assert finding(0.1, -0.2).status is Status.OK
    assert finding(5.0, error=4.0).status is Status.OK
    warned, refused = finding(0.0, -5.0), finding(0.0, 300.0)
    assert warned.status is Status.WARN and "n1 is 5.0 s behind → synchronise" in warned.found
    assert refused.is_bad and "n1 is 300.0 s ahead" in refused.found


def test_builds_and_patch_releases_are_no_other_version() -> None:
    here = {"python": "3.12.3", "torch": "2.9.0+cu126"}
    finding = versions_finding(Survey([Node("n", 1, 0, REPORT)]), here)
    assert finding.status is Status.WARN
    assert "python is 3.12.3 here and 3.12.1 on node n" in finding.found


def test_data_that_differs() -> None:
    nodes = [Node(name, 1, 0, REPORT, DataReport("digits: …", name * 16)) for name in ("a", "b")]
    finding = data_finding(compose_sweep([]).config, Survey(nodes))
    assert finding.is_bad and "another content" in finding.found


def test_gpus_that_nobody_uses_or_that_torch_does_not_see() -> None:
    config = compose_sweep([]).config
    seen = Survey([Node("n", 1, 1, replace(REPORT, devices=("H100",)))])
    idle = devices_finding(config, seen)
    assert idle.status is Status.WARN and "1 × H100" in idle.found and "resources.gpus_per_trial" in idle.found
    asked = config.model_copy(update={"resources": config.resources.model_copy(update={"gpus_per_trial": 0.5})})
    assert devices_finding(asked, seen).status is Status.OK
    blind = devices_finding(asked, Survey([Node("n", 1, 1, REPORT)]))
    assert blind.is_bad and "torch sees none" in blind.found


def test_a_device_that_others_use() -> None:
    assert busy_remark("cuda:0 (H100)", 78 * GIBIBYTE, 80 * GIBIBYTE) is None
    remark = busy_remark("cuda:0 (H100)", 20 * GIBIBYTE, 80 * GIBIBYTE)
    assert remark is not None and remark.status is Status.WARN and "cuda:0 (H100) is not free" in remark.found


def test_nodes_that_an_autoscaler_will_add() -> None:
    asked = ["resources.cpus_per_trial=2", "resources.gpus_per_trial=0.5"]
    config = compose_sweep(["cluster=aws", *asked]).config
    survey = Survey([Node("head", 0, 0, REPORT)], {"CPU": 0.0})
    ray, devices = ray_finding(config, survey), devices_finding(config, survey)
    assert ray.status is Status.WARN and "no node has more than 0 yet → the autoscaler must add one" in ray.found
    assert devices.status is Status.WARN and "resources.gpus_per_trial=0.5" in devices.found


def test_who_can_get_at_the_cluster() -> None:
    gcs, dashboard = OpenPort("GCS", "10.0.0.1", 6379), OpenPort("dashboard", "0.0.0.0", 8265)

    def finding(token: bool, *ports: OpenPort) -> Finding:
        return access_finding(Survey([Node("head", 1, 0, replace(REPORT, token_auth=token, open_ports=ports))]))

    assert finding(True).found == "token authentication is on"
    assert finding(True, gcs).status is Status.OK and "GCS (10.0.0.1:6379) of head" in finding(True, gcs).found
    opened = finding(True, gcs, dashboard)
    assert opened.status is Status.WARN and "dashboard (0.0.0.0:8265) of head" in opened.found
    assert "--dashboard-host=127.0.0.1" in opened.found
    assert "token authentication is off" in finding(False).found and finding(False).status is Status.WARN


@pytest.mark.parametrize(("host", "is_open"), [("127.0.0.1", False), ("0.0.0.0", True), ("::1", False), ("::", True)])
def test_ports_that_are_open_to_the_network(host: str, is_open: bool) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        listener.bind((host, 0))
        port = listener.getsockname()[1]
        assert open_ports({port: "GCS"}) == ()
        listener.listen()
        assert open_ports({port: "GCS"}) == ((OpenPort("GCS", host, port),) if is_open else ())
