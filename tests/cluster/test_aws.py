"""`cluster/aws.yaml` and the IAM policies, as they are read by Ray and by AWS."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ray.autoscaler._private.providers import load_function_or_class

from kdsearch.aws.provider import SpotFirst
from kdsearch.aws.spot import ENDPOINT
from tests.cluster.files import CLUSTER
from tests.cluster.files import REPOSITORY
from tests.cluster.files import aws_problems
from tests.cluster.files import documents


@pytest.fixture
def config() -> dict[str, Any]:
    return documents("aws.yaml")[0]


def test_is_valid(config: dict[str, Any]) -> None:
    assert aws_problems(config) == []


@pytest.mark.parametrize(
    ("place", "right", "wrong"),
    [
        ("", "max_workers", "max_worker"),
        ("", "head_start_ray_commands", "head_start_commands"),
        ("", "cluster_synced_files", "cluster_sync_files"),
        ("provider", "cache_stopped_nodes", "cache_stopped_node"),
        ("auth", "ssh_user", "user"),
        ("available_node_types.gpu", "min_workers", "min_worker"),
        ("provider", "module", "modul"),
        ("available_node_types.gpu", "resources", "resource"),
        ("available_node_types.gpu.node_config", "InstanceMarketOptions", "InstanceMarketOption"),
        ("available_node_types.gpu.node_config.InstanceMarketOptions", "MarketType", "Market"),
        ("available_node_types.head.node_config", "IamInstanceProfile", "InstanceProfile"),
        ("available_node_types.head.node_config.MetadataOptions", "HttpTokens", "HttpToken"),
    ],
)
def test_a_misspelt_key_is_caught(config: dict[str, Any], place: str, right: str, wrong: str) -> None:
    part = _at(config, place)
    part[wrong] = part.pop(right)
    assert aws_problems(config) != []


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        ("", "max_workers", "eight"),
        ("", "head_node_type", "haed"),
        ("", "head_start_ray_commands", ["ray start --head --autoscaling-confg=x"]),
        ("", "worker_start_ray_commands", ["ray start --address=$RAY_HEAD_IP:6379 --disable-usage-stat"]),
        ("available_node_types.gpu", "min_workers", 9),
        ("available_node_types.gpu.node_config", "SecurityGroupIds", "sg-1"),
    ],
)
def test_a_wrong_value_is_caught(config: dict[str, Any], place: str, key: str, value: object) -> None:
    _at(config, place)[key] = value
    assert aws_problems(config) != []


def test_costs_nothing_but_the_head_while_there_are_no_trials(config: dict[str, Any]) -> None:
    nodes = config["available_node_types"]
    head = nodes.pop(config["head_node_type"])
    assert head["resources"]["CPU"] == 0, "no trial runs on the head"
    assert all(node["min_workers"] == 0 for node in nodes.values())
    assert config["provider"]["cache_stopped_nodes"] is False


def test_prefers_spot_and_falls_back(config: dict[str, Any]) -> None:
    """What the provider does is shown in tests/aws/test_provider.py."""
    assert load_function_or_class(config["provider"]["module"]) is SpotFirst
    assert config["available_node_types"]["gpu"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}


def test_the_token_goes_from_the_head_to_the_workers_alone(config: dict[str, Any]) -> None:
    assert config["cluster_synced_files"] == ["/home/ubuntu/.ray/auth_token"]
    assert any("get-auth-token --generate > /dev/null" in command for command in config["head_setup_commands"])
    assert all("auth_token" not in path for path in config["file_mounts"].values())


def test_a_node_sets_itself_up(config: dict[str, Any], tmp_path: Path) -> None:
    """The commands that install nothing, run as Ray runs them, in a home of their own."""
    (tmp_path / "venv").symlink_to(sys.prefix)
    (tmp_path / "kdsearch").mkdir()
    (tmp_path / "kdsearch" / "cluster").symlink_to(CLUSTER)
    (tmp_path / ".bashrc").touch()
    commands = [*config["setup_commands"], *config["head_setup_commands"]]
    for command in commands:
        if not any(word in command for word in ("apt-get", "pip", "services.sh")):
            assert _on_node(tmp_path, command) == ""
    token = tmp_path / ".ray" / "auth_token"
    assert token.read_text() and token.stat().st_mode & 0o077 == 0, "nobody else reads the token"
    seen = dict(line.partition("=")[::2] for line in _on_node(tmp_path, "env").splitlines())
    assert seen["RAY_AUTH_MODE"] == "token"
    assert seen["PATH"].startswith(f"{tmp_path}/venv/bin:")


def test_workers_watch_for_the_spot_notice(config: dict[str, Any], tmp_path: Path) -> None:
    """The command returns at once; the watcher ends where there is no metadata service."""
    (tmp_path / ".bashrc").write_text(
        f"export PATH={Path(sys.executable).parent}:$PATH PYTHONPATH={REPOSITORY} {ENDPOINT}=http://127.0.0.1:9"
    )
    assert _on_node(tmp_path, config["worker_start_ray_commands"][-1]) == ""
    log, deadline = tmp_path / "spot.log", time.monotonic() + 60
    while not log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert log.read_text().startswith("no spot notice will be seen")


def test_nodes_may_touch_one_prefix_of_one_bucket() -> None:
    policy = json.loads((CLUSTER / "aws-iam-policy.json").read_text())
    for statement in policy["Statement"]:
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        assert all(action.startswith("s3:") and "*" not in action for action in actions)
        below_prefix = statement["Resource"] == "arn:aws:s3:::BUCKET/PREFIX/*"
        listing = statement["Resource"] == "arn:aws:s3:::BUCKET" and all("List" in action for action in actions)
        assert below_prefix or listing


def test_the_head_changes_nodes_of_this_cluster_alone(config: dict[str, Any]) -> None:
    policy = json.loads((CLUSTER / "aws-iam-head-policy.json").read_text())
    for statement in policy["Statement"]:
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        assert not any("*" in action for action in actions)
        only_looks = all(action.split(":")[1].startswith(("Describe", "Get")) for action in actions)
        assert only_looks or statement["Resource"] != "*"
    conditions = json.dumps([statement.get("Condition") for statement in policy["Statement"]])
    assert f'"aws:RequestTag/ray-cluster-name": "{config["cluster_name"]}"' in conditions
    assert f'"aws:ResourceTag/ray-cluster-name": "{config["cluster_name"]}"' in conditions


def _on_node(home: Path, command: str) -> str:
    """What a command prints, run as Ray's command runner runs it over ssh."""
    line = f"source ~/.bashrc; export OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore && ({command})"
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    run = ["bash", "--login", "-c", "-i", line]
    done = subprocess.run(run, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _at(config: dict[str, Any], place: str) -> dict[str, Any]:
    part: Any = config
    for key in filter(None, place.split(".")):
        # YAML's aliases make one object of several places; a mistake is planted in one of them.
        part[key] = copy.deepcopy(part[key])
        part = part[key]
    found: dict[str, Any] = part
    return found
