"""An EC2 instance type: what it has, where it is offered, how many of it an account may run, what it costs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdsearch.aws.client import client

ON_DEMAND = {
    "standard": "L-1216C47A",
    "g": "L-DB2E81BA",
    "p": "L-417A185B",
    "inf": "L-1945791B",
    "trn": "L-2C3B7624",
}
SPOT = {
    "standard": "L-34B43A08",
    "g": "L-3819A6DF",
    "p": "L-7212CCBC",
    "p5": "L-C4BD4855",
    "inf": "L-B5D1601B",
    "trn": "L-6B0D517C",
}
"""Codes of Service Quotas for running vCPUs, by family of instance types."""
LINUX = "Linux/UNIX"
_FAMILY = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class InstanceType:
    name: str
    vcpus: int
    gpus: int
    gpu_name: str
    memory: int
    """MiB."""


@dataclass(frozen=True)
class Quota:
    """How many vCPUs of the type's family an account may run at once in a region."""

    spot: float
    on_demand: float


def offered_zones(name: str, region: str | None) -> list[str]:
    """The availability zones of the region in which the type can be had."""
    pages = client("ec2", region).get_paginator("describe_instance_type_offerings")
    filters = [{"Name": "instance-type", "Values": [name]}]
    found = pages.paginate(LocationType="availability-zone", Filters=filters)
    return sorted(offer["Location"] for page in found for offer in page["InstanceTypeOfferings"])


def describe(name: str, region: str | None) -> InstanceType:
    """
    Raises:
        ClientError: there is no such type in the region.
    """
    [found] = client("ec2", region).describe_instance_types(InstanceTypes=[name])["InstanceTypes"]
    gpus = found.get("GpuInfo", {}).get("Gpus", [])
    return InstanceType(
        name,
        found["VCpuInfo"]["DefaultVCpus"],
        sum(gpu["Count"] for gpu in gpus),
        " ".join(f"{gpus[0].get('Manufacturer', '')} {gpus[0].get('Name', '')}".split()) if gpus else "",
        found["MemoryInfo"]["SizeInMiB"],
    )


def spot_prices(name: str, region: str | None) -> dict[str, float]:
    """Dollars for an hour, by availability zone, as they are now."""
    from datetime import UTC
    from datetime import datetime

    pages = client("ec2", region).get_paginator("describe_spot_price_history")
    found = pages.paginate(InstanceTypes=[name], StartTime=datetime.now(UTC), ProductDescriptions=[LINUX])
    newest: dict[str, tuple[Any, float]] = {}
    for price in (entry for page in found for entry in page["SpotPriceHistory"]):
        zone, seen = price["AvailabilityZone"], (price["Timestamp"], float(price["SpotPrice"]))
        newest[zone] = max(newest.get(zone, seen), seen)
    return {zone: dollars for zone, (_, dollars) in sorted(newest.items())}


def on_demand_price(name: str, region: str) -> float | None:
    """Dollars for an hour of Linux on a shared machine, from AWS's price list; None where it does not have it."""
    wanted = {
        "instanceType": name,
        "regionCode": region,
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
        "capacitystatus": "Used",
    }
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
    # The price list is served from a few regions only, for all of them.
    answer = client("pricing", "us-east-1").get_products(ServiceCode="AmazonEC2", Filters=filters)
    prices = [price for text in answer["PriceList"] for price in _dollars(json.loads(text))]
    return max(prices, default=None)


def quota(name: str, region: str | None) -> Quota:
    """
    Raises:
        ClientError: it may not be read.
    """
    quotas = client("service-quotas", region)
    spot, on_demand = quota_codes(name)

    def value(code: str) -> float:
        return float(quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]["Value"])

    return Quota(value(spot), value(on_demand))


def quota_codes(name: str) -> tuple[str, str]:
    """Of spot and of on-demand instances."""
    series = name.partition(".")[0]
    letters = _FAMILY.match(series)
    family = letters[0] if letters else ""
    family = {"vt": "g", "gr": "g"}.get(family, family if family in ON_DEMAND else family[:1])
    family = family if family in ON_DEMAND else "standard"
    newest = "p5" if family == "p" and not series.startswith(("p2", "p3", "p4")) else family
    return SPOT[newest], ON_DEMAND[family]


def _dollars(product: Mapping[str, Any]) -> Iterator[float]:
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            if dimension["unit"] == "Hrs" and float(dimension["pricePerUnit"].get("USD", 0)) > 0:
                yield float(dimension["pricePerUnit"]["USD"])
