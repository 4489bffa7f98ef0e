"""Does AWS know us, and will it give us the workers that we ask for?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from kdsearch.aws import instances
from kdsearch.aws.client import client
from kdsearch.aws.client import reason
from kdsearch.config.schema import ClusterConfig
from kdsearch.doctor.finding import Finding
from kdsearch.doctor.finding import Remark

T = TypeVar("T")

CREDENTIALS = "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role"
RAISE = "have it raised in Service Quotas (Amazon EC2), or take a smaller cluster.instance_type"


def look_at_aws(cluster: ClusterConfig) -> Finding:
    """Who we are there, and the instance type of the workers: offered, within the quota, at what price."""
    from botocore.exceptions import BotoCoreError
    from botocore.exceptions import ClientError
    from botocore.exceptions import NoRegionError

    try:
        region = str(client("ec2", cluster.region).meta.region_name)
        identity = client("sts", region).get_caller_identity()
    except NoRegionError:
        remark = Remark.bad("no region is set", "set cluster.region or AWS_DEFAULT_REGION")
        return Finding.conclude("aws", "", [remark])
    except (BotoCoreError, ClientError) as error:
        remark = Remark.bad(f"AWS does not know these credentials ({reason(error)})", CREDENTIALS)
        return Finding.conclude("aws", "", [remark])
    said = [f"{identity['Arn']} in {region}"]
    remarks: list[Remark] = []
    if cluster.instance_type is not None:
        more, remarks = _look_at_type(cluster.instance_type, region)
        said += more
    return Finding.conclude("aws", "; ".join(said), remarks)


def _look_at_type(name: str, region: str) -> tuple[list[str], list[Remark]]:
    """What there is to say of the type, and what will not do."""
    said: list[str] = []
    remarks: list[Remark] = []
    zones = _asked(f"where {name} is offered", lambda: instances.offered_zones(name, region), remarks)
    if zones == []:
        advice = "choose another cluster.instance_type or cluster.region"
        return said, [Remark.bad(f"{name} is not offered in {region}", advice)]
    kind = _asked(f"what {name} has", lambda: instances.describe(name, region), remarks)
    if kind is not None:
        gpus = f", {kind.gpus} × {kind.gpu_name}" if kind.gpus else ", no GPU"
        said.append(f"{name}: {kind.vcpus} vCPUs{gpus}" + (f", in {len(zones)} zones" if zones else ""))
    quota = _asked("the quota of vCPUs", lambda: instances.quota(name, region), remarks)
    if kind is not None and quota is not None:
        text, remark = _judge(quota, kind)
        said.append(text)
        remarks += [remark] if remark is not None else []
    prices = _asked("the spot price", lambda: instances.spot_prices(name, region), remarks)
    if prices:
        low, high = min(prices.values()), max(prices.values())
        said.append(f"spot ${low:.4g}" + (f" to ${high:.4g}" if high > low else "") + " for an hour")
    return said, remarks


def _judge(quota: instances.Quota, kind: instances.InstanceType) -> tuple[str, Remark | None]:
    spot, on_demand = (int(vcpus // kind.vcpus) for vcpus in (quota.spot, quota.on_demand))
    text = f"the quota allows {spot} of them on spot and {on_demand} on demand"
    if spot == on_demand == 0:
        found = f"the quota of {quota.spot:g} vCPUs on spot and {quota.on_demand:g} on demand allows no {kind.name}"
        return text, Remark.bad(found, RAISE)
    if spot == 0 or on_demand == 0:
        which = "spot" if spot == 0 else "on demand"
        return text, Remark.warn(f"the quota allows no {kind.name} {which}", RAISE)
    return text, None


def _asked(what: str, ask: Callable[[], T], remarks: list[Remark]) -> T | None:
    """The answer; a warning where these credentials may not ask, as a head node's need not."""
    from botocore.exceptions import BotoCoreError
    from botocore.exceptions import ClientError

    try:
        return ask()
    except (BotoCoreError, ClientError) as error:
        remarks.append(Remark.warn(f"{what} could not be read ({reason(error)})"))
        return None
