"""AWS takes a spot instance back with two minutes' notice: the node leaves the Ray cluster meanwhile, in good order.

    python -m kdsearch.aws.spot

on each worker node, beside Ray's daemons: it waits for the notice, then has Ray drain the node. No trial starts there
any more, the running ones are checkpointed and go on elsewhere, and Ray ends the node when the last has left. It ends
at once where there is no instance metadata service, and as soon as Ray has.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime

from kdsearch.errors import KdsearchError

ENDPOINT = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
"""The variable that names another address of the metadata service, as AWS's own tools have it."""
DEFAULT_ENDPOINT = "http://169.254.169.254"
TOKEN_SECONDS = 21600
TIMEOUT_SECONDS = 2.0
POLL_SECONDS = 5.0
"""As AWS advises."""
ENDING_ACTIONS = ("terminate", "stop", "hibernate")


class NoMetadataService(KdsearchError):
    """This is not an EC2 instance, or its metadata service is switched off."""


@dataclass(frozen=True)
class Notice:
    """When the instance will be taken away, and how."""

    action: str
    time: datetime

    @property
    def seconds_left(self) -> float:
        return max(0.0, (self.time - datetime.now(UTC)).total_seconds())


class MetadataService:
    """The instance metadata service, version 2."""

    def __init__(self, endpoint: str | None = None) -> None:
        self._endpoint = (endpoint or os.environ.get(ENDPOINT) or DEFAULT_ENDPOINT).rstrip("/")

    def notice(self) -> Notice | None:
        """The notice, once it has been given.

        Raises:
            NoMetadataService: nothing answers.
        """
        text = self._get("spot/instance-action")
        if text is None:
            return None
        found = json.loads(text)
        if found["action"] not in ENDING_ACTIONS:
            return None
        return Notice(found["action"], datetime.fromisoformat(found["time"]))

    def _get(self, path: str) -> str | None:
        """None where there is nothing."""
        try:
            token = self._call("PUT", "api/token", {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)})
            return self._call("GET", f"meta-data/{path}", {"X-aws-ec2-metadata-token": token})
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise NoMetadataService(f"{self._endpoint}: {error}") from error
        except OSError as error:
            raise NoMetadataService(f"{self._endpoint}: {error}") from error

    def _call(self, method: str, path: str, headers: dict[str, str]) -> str:
        request = urllib.request.Request(f"{self._endpoint}/latest/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            text: str = answer.read().decode()
        return text


def main() -> None:
    """Wait for the notice while Ray's node is here, and drain it then."""
    from ray._private.services import find_node_ids

    service = MetadataService()
    node = next(iter(find_node_ids()), None)
    try:
        notice = service.notice()
    except NoMetadataService as error:
        print(f"no spot notice will be seen: {error}")
        return
    while notice is None and node in find_node_ids():
        time.sleep(POLL_SECONDS)
        with contextlib.suppress(NoMetadataService):  # it was there
            notice = service.notice()
    if notice is not None and node is not None:
        drain(node, notice)


def drain(node: str, notice: Notice) -> None:
    """Have Ray drain the node with this id."""
    from ray._private.services import canonicalize_bootstrap_address_or_die
    from ray._raylet import GcsClient  # type: ignore[attr-defined]
    from ray.core.generated import autoscaler_pb2

    cluster = GcsClient(address=canonicalize_bootstrap_address_or_die("auto"))
    deadline = int(notice.time.timestamp() * 1000)
    reason = autoscaler_pb2.DrainNodeReason.DRAIN_NODE_REASON_PREEMPTION  # type: ignore[attr-defined]
    print(f"AWS will {notice.action} this instance in {notice.seconds_left:.0f} s: Ray drains the node", flush=True)
    cluster.drain_node(node, reason, f"spot instance: {notice.action}", deadline)


if __name__ == "__main__":
    main()
