"""Ray's AWS node provider with an on-demand instance wherever EC2 has no spot instance.

Ray's autoscaler asks for the same node type again when EC2 refuses to launch it; a second type of lower priority is
never tried. So the provider itself takes the next best instance, and asks for spot first each time.
"""

from __future__ import annotations

import logging
from typing import Any

from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
from ray.autoscaler.node_launch_exception import NodeLaunchException

MARKET = "InstanceMarketOptions"
NO_SPOT = frozenset(
    {
        "InsufficientInstanceCapacity",
        "MaxSpotInstanceCountExceeded",
        "SpotMaxPriceTooLow",
        "Unsupported",
    }
)
"""EC2's error codes for an instance type that cannot be had as spot now, in any of the subnets."""

logger = logging.getLogger(__name__)


class SpotFirst(AWSNodeProvider):
    """For `provider: {type: external, module: kdsearch.aws.provider.SpotFirst}`."""

    def _create_node(self, node_config: dict[str, Any], tags: dict[str, str], count: int) -> dict[str, Any]:
        """Launch `count` instances; those that EC2 does not have as spot are on-demand ones of the same type.

        Raises:
            NodeLaunchException: neither can be had.
        """
        try:
            made = super()._create_node(dict(node_config), tags, count)
        except NodeLaunchException as refusal:
            if MARKET not in node_config or refusal.category not in NO_SPOT:
                raise
            logger.warning("no spot instance (%s): launching on demand", refusal.category)
            made = {}
        # EC2 launches as many as it can, and calls it success.
        missing = count - len(made)
        if missing and MARKET in node_config:
            on_demand = {key: value for key, value in node_config.items() if key != MARKET}
            made |= super()._create_node(on_demand, tags, missing)
        return made
