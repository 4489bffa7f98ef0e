"""What `cluster/aws.yaml` needs in an AWS account, made once, and a copy of that file with the names filled in.

    python cluster/aws_account.py --bucket my-bucket --region us-east-1 --ssh-from 203.0.113.7/32 --output my-aws.yaml

A private bucket, a security group that lets in ssh from one place, and two roles: workers may use one prefix of the
bucket; the head may also launch and end nodes of this cluster. Whatever is there already is kept; policies are renewed.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

HERE = Path(__file__).parent
NAME = "kdsearch"
IMAGE_PARAMETER = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
"""Ubuntu 24.04 with NVIDIA's driver, for every node. Its current id is looked up once and pinned in the copy."""
THERE_ALREADY = ("EntityAlreadyExists", "InvalidPermission.Duplicate", "InvalidInput")
"""The last is how IAM answers about a service-linked role."""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def main() -> None:
    options = _options()
    session = boto3.Session(region_name=options.region)
    names = {
        "ACCOUNT": session.client("sts").get_caller_identity()["Account"],
        "REGION": options.region,
        "BUCKET": options.bucket,
        "PREFIX": options.prefix.strip("/"),
    }
    make_bucket(session.client("s3"), options.bucket, options.region)
    iam = session.client("iam")
    for node, policies in {"worker": ["aws-iam-policy"], "head": ["aws-iam-policy", "aws-iam-head-policy"]}.items():
        make_profile(iam, f"{NAME}-{node}", {policy: _filled(f"{policy}.json", names) for policy in policies})
    # Spot instances are asked for in this role's name; the head may not make it.
    _unless_there(iam.create_service_linked_role, AWSServiceName="spot.amazonaws.com")
    names["SECURITY_GROUP"] = make_security_group(session.client("ec2"), options.ssh_from)
    names["IMAGE"] = options.image or current_image(session.client("ssm"))
    options.output.write_text(_filled("aws.yaml", names))
    print(f"wrote {options.output}: image {names['IMAGE']}, ssh from {options.ssh_from}")


def make_bucket(s3: Any, bucket: str, region: str) -> None:
    """A bucket that nobody outside the account can read. Raises ClientError where it belongs to somebody else."""
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **place)
        everything = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(everything, True))


def make_profile(iam: Any, name: str, policies: dict[str, str]) -> None:
    """An instance profile with a role of the same name that may do what `policies` (JSON by name) say."""
    _unless_there(iam.create_role, RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    for policy, document in policies.items():
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document)
    _unless_there(iam.create_instance_profile, InstanceProfileName=name)
    if not iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]:
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def make_security_group(ec2: Any, ssh_from: str) -> str:
    """The id of a group in the default VPC whose members see each other and take ssh from `ssh_from` (CIDR)."""
    vpcs = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    if not vpcs:
        raise SystemExit("this region has no default VPC: `aws ec2 create-default-vpc` makes one")
    here = [{"Name": "vpc-id", "Values": [vpcs[0]["VpcId"]]}, {"Name": "group-name", "Values": [NAME]}]
    groups = ec2.describe_security_groups(Filters=here)["SecurityGroups"]
    if groups:
        group = str(groups[0]["GroupId"])
    else:
        made = ec2.create_security_group(GroupName=NAME, Description="kdsearch clusters", VpcId=vpcs[0]["VpcId"])
        group = str(made["GroupId"])
    among_themselves = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": ssh_from}]}
    for rule in (among_themselves, ssh):
        _unless_there(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[rule])
    return group


def current_image(ssm: Any) -> str:
    return str(ssm.get_parameter(Name=IMAGE_PARAMETER)["Parameter"]["Value"])


def _filled(file: str, names: dict[str, str]) -> str:
    text = (HERE / file).read_text()
    for name, value in names.items():
        text = text.replace(name, value)
    return text


def _unless_there(create: Any, **arguments: Any) -> None:
    try:
        create(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] not in THERE_ALREADY:
            raise


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bucket", required=True, help="made if it does not exist")
    parser.add_argument("--prefix", default=NAME, help="what the nodes may touch of it (default: %(default)s)")
    parser.add_argument("--region", required=True)
    parser.add_argument(
        "--ssh-from", required=True, type=_network, help="who may connect by ssh, such as 203.0.113.7/32"
    )
    parser.add_argument("--image", help="id of the nodes' image; default is the current Deep Learning Base AMI")
    parser.add_argument("--output", required=True, type=Path, help="where the filled copy of cluster/aws.yaml goes")
    return parser.parse_args()


def _network(text: str) -> str:
    network = ipaddress.ip_network(text)
    if network.prefixlen == 0:
        raise argparse.ArgumentTypeError("that is the whole internet: name your own network")
    return str(network)


if __name__ == "__main__":
    main()
