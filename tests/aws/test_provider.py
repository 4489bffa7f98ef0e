"""Spot first, on demand while EC2 has no spot instance: the launch file's worker type and provider."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import ray
import yaml
from botocore.exceptions import ClientError
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.autoscaler._private.aws import utils
from ray.autoscaler._private.providers import _get_node_provider
from ray.autoscaler._private.util import prepare_config
from ray.autoscaler.node_launch_exception import NodeLaunchException
from ray.autoscaler.v2.autoscaler import Autoscaler
from ray.autoscaler.v2.instance_manager.config import FileConfigReader

from kdsearch.aws.provider import SpotFirst
from tests.aws.scarce import ScarceEc2
from tests.aws.services import CREDENTIALS
from tests.aws.services import REGION
from tests.cluster.files import documents

TAGS = {"ray-node-type": "worker", "ray-user-node-type": "gpu", "ray-node-status": "uninitialized"}


@pytest.fixture(scope="module")
def server() -> Iterator[ScarceEc2]:
    with ScarceEc2() as server:
        yield server


@pytest.fixture
def ec2(server: ScarceEc2, clean: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScarceEc2]:
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": server.url}.items():
        monkeypatch.setenv(name, value)
    server.make_plenty()
    utils.resource_cache.cache_clear()
    utils.client_cache.cache_clear()
    yield server
    utils.resource_cache.cache_clear()
    utils.client_cache.cache_clear()


@pytest.fixture
def provider(ec2: ScarceEc2, request: pytest.FixtureRequest) -> SpotFirst:
    config = documents("aws.yaml")[0]["provider"] | {"region": REGION}
    found = _get_node_provider(config, request.node.name.replace("[", "-").strip("]"), use_cache=False)
    assert isinstance(found, SpotFirst)
    return found


def test_spot_while_there_is_spot(provider: SpotFirst) -> None:
    launch(provider, 2)
    assert markets(provider) == {"spot": 2}


@pytest.mark.parametrize("refusal", ["InsufficientInstanceCapacity", "MaxSpotInstanceCountExceeded"])
def test_on_demand_while_there_is_none_and_spot_again_later(ec2: ScarceEc2, provider: SpotFirst, refusal: str) -> None:
    ec2.spot, ec2.refusal = 0, refusal
    launch(provider, 2)
    assert markets(provider) == {"on demand": 2}
    ec2.spot = 100
    launch(provider, 1)
    assert markets(provider) == {"on demand": 2, "spot": 1}


def test_what_is_missing_of_a_batch_is_on_demand(ec2: ScarceEc2, provider: SpotFirst) -> None:
    ec2.spot = 1
    launch(provider, 3)
    assert markets(provider) == {"spot": 1, "on demand": 2}


def test_neither_can_be_had(ec2: ScarceEc2, provider: SpotFirst) -> None:
    ec2.spot = ec2.on_demand = 0
    with pytest.raises(NodeLaunchException, match="InsufficientInstanceCapacity"):
        launch(provider, 1)
    assert markets(provider) == {}


def test_no_right_to_launch_is_no_lack_of_spot(ec2: ScarceEc2, provider: SpotFirst) -> None:
    ec2.spot, ec2.refusal = 0, "UnauthorizedOperation"
    with pytest.raises(NodeLaunchException, match="UnauthorizedOperation"):
        launch(provider, 1)
    assert markets(provider) == {}


@pytest.mark.slow
def test_ray_autoscaler_gets_its_node(
    ec2: ScarceEc2, provider: SpotFirst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real autoscaler, on a real cluster that wants a GPU, whose requests for spot EC2 refuses."""
    config = prepare_config(documents("aws.yaml")[0])
    # Nothing is installed on the nodes, so that no made-up address is ever connected to.
    config["provider"] |= {"region": REGION, "disable_node_updaters": True, "use_internal_ips": True}
    config["cluster_name"] = provider.cluster_name
    config["available_node_types"]["gpu"] |= {"node_config": worker_config(), "resources": {"CPU": 4, "GPU": 1}}
    (tmp_path / "bootstrap.yaml").write_text(yaml.safe_dump(config))
    [head] = provider.create_node(worker_config(), {"ray-node-type": "head", "ray-user-node-type": "head"}, 1) or {}
    monkeypatch.setenv("RAY_CLOUD_INSTANCE_ID", head)  # as `ray up` starts it
    monkeypatch.setenv("RAY_NODE_TYPE_NAME", "head")
    ec2.spot = 0
    ray.init(num_cpus=0, num_gpus=0, include_dashboard=False)
    try:
        wanting = ray.remote(num_gpus=1)(Counter).remote()
        autoscaler = Autoscaler(
            session_name="session",
            config_reader=FileConfigReader(str(tmp_path / "bootstrap.yaml"), skip_content_hash=True),
            gcs_client=GcsClient(address=ray.get_runtime_context().gcs_address),
        )
        for _ in range(60):
            autoscaler.update_autoscaling_state()
            if markets(provider):
                break
            time.sleep(0.5)
        assert markets(provider) == {"on demand": 1}
        del wanting
    finally:
        ray.shutdown()


def launch(provider: SpotFirst, count: int) -> None:
    provider.create_node(worker_config(), TAGS, count)


def worker_config() -> dict[str, Any]:
    """The launch file's, with what `ray up` fills in."""
    worker: dict[str, Any] = documents("aws.yaml")[0]["available_node_types"]["gpu"]["node_config"]
    with contextlib.suppress(ClientError):  # there already
        boto3.client("iam").create_instance_profile(InstanceProfileName=worker["IamInstanceProfile"]["Name"])
    client = utils.client_cache("ec2", REGION)
    subnets = [subnet["SubnetId"] for subnet in client.describe_subnets()["Subnets"]]
    groups = [client.describe_security_groups()["SecurityGroups"][0]["GroupId"]]
    return worker | {"ImageId": "ami-12345678", "SubnetIds": subnets, "SecurityGroupIds": groups}


def markets(provider: SpotFirst) -> dict[str, int]:
    """How many nodes of the cluster are of either kind, by what EC2 says."""
    nodes = [provider._get_node(name) for name in provider.non_terminated_nodes({"ray-user-node-type": "gpu"})]
    return dict(Counter("spot" if node.instance_lifecycle == "spot" else "on demand" for node in nodes))
