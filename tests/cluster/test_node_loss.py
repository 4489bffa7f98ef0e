"""What the launch files say about nodes that go: how soon a lost one is noticed, and how long one may take to leave."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ray._private.ray_constants import RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S

from tests.cluster.files import CLUSTER
from tests.cluster.files import documents

SETTING = re.compile(r"^export (RAY_health_check_\w+)=(\d+)$", re.MULTILINE)
MANIFESTS = ("kuberay-rayjob.yaml", "kuberay-raycluster.yaml")


def shipped() -> dict[str, str]:
    """What `cluster/environment` has Ray's daemons see."""
    return dict(SETTING.findall((CLUSTER / "environment").read_text()))


def groups(manifest: str) -> list[dict[str, Any]]:
    """Of pods: the head's, then the workers'."""
    (document,) = documents(manifest)
    cluster = document["spec"].get("rayClusterSpec", document["spec"])
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def test_a_lost_node_is_noticed_within_15_seconds() -> None:
    names = ("initial_delay_ms", "period_ms", "timeout_ms", "failure_threshold")
    assert set(shipped()) == {f"RAY_health_check_{name}" for name in names}
    delay, period, timeout, misses = (int(shipped()[f"RAY_health_check_{name}"]) for name in names)
    assert delay + misses * (period + timeout) <= 15_000


def test_the_nodes_of_aws_and_slurm_see_it() -> None:
    (aws,) = documents("aws.yaml")
    assert any("cluster/environment' >> ~/.bashrc" in command for command in aws["setup_commands"])
    assert '\n. "$here/environment"\n' in (CLUSTER / "slurm.sbatch").read_text()


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_every_pod_sees_the_same(manifest: str) -> None:
    for group in groups(manifest):
        (container,) = group["template"]["spec"]["containers"]
        seen = {entry["name"]: entry.get("value") for entry in container["env"]}
        assert {name: value for name, value in seen.items() if "health_check" in name} == shipped()


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_a_pod_has_time_to_leave(manifest: str) -> None:
    """Kubernetes sends SIGTERM, on which `ray start` drains the node, and kills it when the grace period is over."""
    _, *workers = groups(manifest)
    for group in workers:
        assert group["template"]["spec"]["terminationGracePeriodSeconds"] > RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S
