"""`ray up` and `ray down` with the shipped file, against moto's EC2."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.files import CLUSTER
from tests.cluster.moto import REGION
from tests.cluster.moto import MotoServer
from tests.cluster.moto import Terminal

pytestmark = pytest.mark.services
HOME = "198.51.100.0/24"


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoServer]:
    with MotoServer() as server:
        yield server


@pytest.fixture
def terminal(moto: MotoServer, tmp_path: Path) -> Terminal:
    shutil.copytree(CLUSTER, tmp_path / "cluster")
    (tmp_path / "dist").mkdir()
    return Terminal(moto, tmp_path)


def test_ray_up_and_down(moto: MotoServer, terminal: Terminal) -> None:
    ec2 = moto.client("ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    for _ in range(2):  # the second time everything is there
        make_account(terminal, image)
    config = yaml.safe_load((terminal.folder / "my-aws.yaml").read_text())
    config["provider"]["use_internal_ips"] = True  # so that no made-up public address is ever connected to
    (terminal.folder / "my-aws.yaml").write_text(yaml.safe_dump(config))

    terminal.run("ray", "up", "-y", "--no-config-cache", "my-aws.yaml")

    (head,) = instances(ec2)
    assert head["InstanceType"] == "m6i.xlarge" and head["ImageId"] == image
    assert head["IamInstanceProfile"]["Arn"].endswith("/kdsearch-head")
    assert open_ports(ec2, head) == {(22, HOME)}
    tags = {tag["Key"]: tag["Value"] for tag in head["Tags"]}
    assert tags["ray-node-status"] == "up-to-date" and tags["ray-cluster-name"] == "kdsearch"

    assert "ray start --head" in terminal.calls
    assert '"CPU":0' in terminal.calls.replace(" ", ""), "the head takes no trials"
    assert f"KDSEARCH_STORAGE=s3://sweeps/team {'~/kdsearch/cluster/services.sh start'}" in terminal.calls

    # A spot worker as the autoscaler on the head would ask for it.
    worker = config["available_node_types"]["gpu"]["node_config"]
    made = ec2.run_instances(**worker, MinCount=1, MaxCount=1)["Instances"][0]
    assert made["InstanceLifecycle"] == "spot" and made["IamInstanceProfile"]["Arn"].endswith("/kdsearch-worker")
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])

    terminal.run("ray", "down", "-y", "my-aws.yaml")
    assert instances(ec2) == []


def test_the_whole_internet_is_no_place_to_come_from(terminal: Terminal) -> None:
    with pytest.raises(AssertionError, match="the whole internet"):
        make_account(terminal, "ami-1", ssh_from="0.0.0.0/0")


def test_what_the_roles_may_do(moto: MotoServer, terminal: Terminal) -> None:
    make_account(terminal, "ami-1")
    iam, bucket = moto.client("iam"), "arn:aws:s3:::sweeps"
    for role, count in {"kdsearch-worker": 1, "kdsearch-head": 2}.items():
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        assert len(names) == count
        policy = iam.get_role_policy(RoleName=role, PolicyName="aws-iam-policy")["PolicyDocument"]
        assert {statement["Resource"] for statement in policy["Statement"]} == {bucket, f"{bucket}/team/*"}
    blocked = moto.client("s3").get_public_access_block(Bucket="sweeps")["PublicAccessBlockConfiguration"]
    assert all(blocked.values())


def make_account(terminal: Terminal, image: str, ssh_from: str = HOME) -> None:
    options = {"bucket": "sweeps", "prefix": "team", "region": REGION, "ssh-from": ssh_from, "image": image}
    words = [f"--{name}={value}" for name, value in options.items()]
    terminal.run(sys.executable, "cluster/aws_account.py", *words, "--output=my-aws.yaml")


def instances(ec2: Any) -> list[dict[str, Any]]:
    """Those that are not terminated."""
    states = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
    reservations = ec2.describe_instances(Filters=states)["Reservations"]
    return [instance for reservation in reservations for instance in reservation["Instances"]]


def open_ports(ec2: Any, instance: dict[str, Any]) -> set[tuple[int, str]]:
    """Ports that the security groups of an instance open to addresses."""
    groups = [group["GroupId"] for group in instance["SecurityGroups"]]
    found = ec2.describe_security_groups(GroupIds=groups)["SecurityGroups"]
    rules = [rule for group in found for rule in group["IpPermissions"]]
    return {(rule["FromPort"], place["CidrIp"]) for rule in rules for place in rule["IpRanges"]}
