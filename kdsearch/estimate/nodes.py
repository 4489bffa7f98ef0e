"""What a node is and costs: as given, as AWS says of the instance type, or this machine."""

from __future__ import annotations

from kdsearch.config.schema import SweepConfig
from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.estimate.forecast import Node
from kdsearch.estimate.forecast import Price


def find_node(config: SweepConfig, cpus: float | None, gpus: float | None) -> Node:
    """The kind of node that trials are to run on; `cpus` and `gpus` are what the user says of it.

    Raises:
        InputError: no trial fits on it, or AWS has no such instance type.
    """
    node = _known_node(config, cpus, gpus)
    if node.slots(config.resources) < 1:
        asked = config.resources
        allowed = f"must have room for a trial: {asked.cpus_per_trial:g} CPUs and {asked.gpus_per_trial:g} GPUs"
        raise InputError([Problem("node", f"{node.cpus:g} CPUs, {node.gpus:g} GPUs", allowed)])
    return node


def find_price(config: SweepConfig, given: float | None) -> tuple[Price | None, str | None]:
    """The price of such a node, or why it is not known (None where nobody would expect it to be)."""
    if given is not None:
        return Price(given, given, "as given"), None
    instance_type = config.cluster.instance_type
    if instance_type is None:
        return None, None
    return _aws_price(instance_type, config.cluster.region)


def _known_node(config: SweepConfig, cpus: float | None, gpus: float | None) -> Node:
    from kdsearch.config.check_machine import available_cpus
    from kdsearch.config.check_machine import visible_gpus

    if cpus is not None or gpus is not None:
        return Node("as given", cpus if cpus is not None else available_cpus(), gpus or 0.0)
    if config.cluster.instance_type is not None:
        found = _aws_node(config.cluster.instance_type, config.cluster.region)
        if found is not None:
            return found
    return Node("this machine", available_cpus(), visible_gpus())


def _aws_node(instance_type: str, region: str | None) -> Node | None:
    """None where AWS cannot be asked."""
    from botocore.exceptions import BotoCoreError
    from botocore.exceptions import ClientError

    from kdsearch.aws.instances import describe

    try:
        found = describe(instance_type, region)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "InvalidInstanceType":
            problem = Problem("cluster.instance_type", instance_type, "there is no such type in the region")
            raise InputError([problem]) from error
        return None
    except BotoCoreError:
        return None
    return Node(instance_type, found.vcpus, found.gpus)


def _aws_price(instance_type: str, region: str | None) -> tuple[Price | None, str | None]:
    """From the cheapest zone's spot price to the on-demand price."""
    from botocore.exceptions import BotoCoreError
    from botocore.exceptions import ClientError

    from kdsearch.aws.client import client
    from kdsearch.aws.client import reason
    from kdsearch.aws.instances import on_demand_price
    from kdsearch.aws.instances import spot_prices

    try:
        spot = list(spot_prices(instance_type, region).values())
        where = client("ec2", region).meta.region_name
    except (BotoCoreError, ClientError) as error:
        return None, f"AWS cannot be asked: {reason(error)}"
    try:
        on_demand = on_demand_price(instance_type, where)
    except (BotoCoreError, ClientError):
        on_demand = None
    if on_demand is not None:
        return Price(min([*spot, on_demand]), on_demand, f"spot to on-demand in {where}"), None
    if not spot:
        return None, f"{instance_type} has no price in {where}"
    return Price(min(spot), max(spot), f"spot in {where}; the on-demand price could not be read"), None
