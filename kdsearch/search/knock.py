"""Does a Ray cluster listen at an address? Asked before anything is written."""

from __future__ import annotations

import os
import socket

from kdsearch.config.schema import ClusterConfig
from kdsearch.errors import InputError
from kdsearch.errors import KdsearchError
from kdsearch.errors import Problem

CONNECT_SECONDS = 5
EMPTY_SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""A frame of HTTP/2: length (3 bytes), type (1: settings are 4), flags (1), stream (4)."""

SUBMIT = "send it there with `kdsearch submit`"
ADVICE = {
    "aws": f"run this on the head node (ray attach cluster/aws.yaml), or {SUBMIT}",
    "kuberay": f"run this in the head's pod (cluster/kuberay-rayjob.yaml does), or {SUBMIT}",
    "slurm": "run this inside a job (sbatch cluster/slurm.sbatch)",
}
"""Where a sweep is to be started, by the place it runs at."""


class Unreachable(KdsearchError):
    """The Ray cluster cannot be joined."""


def require_cluster(cluster: ClusterConfig) -> None:
    """Look whether the cluster that a sweep is to join is up.

    Raises:
        InputError: it is not; says where to start the sweep instead.
    """
    if cluster.is_own:
        return
    try:
        knock(str(cluster.address))
    except Unreachable as error:
        here = cluster.address == "auto"
        advice = ADVICE.get(cluster.place, f"{'run this on the head node' if here else 'start Ray there'}, or {SUBMIT}")
        allowed = f"no Ray cluster answers there ({error}); {advice}"
        raise InputError([Problem("cluster.address", cluster.address, allowed)]) from error


def knock(address: str) -> None:
    """Does a Ray cluster listen there? Ray itself would try for half a minute, and for minutes where a server hangs.

    Raises:
        Unreachable: it does not.
    """
    from ray._private.services import canonicalize_bootstrap_address

    try:
        place = canonicalize_bootstrap_address(address.removeprefix("ray://"))
        if place is None:
            raise Unreachable("no Ray cluster is up on this machine")
        host, _, port = place.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS) as connection:
            if os.environ.get("RAY_USE_TLS", "0") != "1":
                _shake_hands(connection)
    except TimeoutError as error:
        raise Unreachable(f"no answer within {CONNECT_SECONDS} s") from error
    except (OSError, ValueError) as error:
        raise Unreachable(getattr(error, "strerror", None) or str(error)) from error


def _shake_hands(connection: socket.socket) -> None:
    """Ray's servers speak gRPC, so HTTP/2: both sides begin with their settings."""
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + EMPTY_SETTINGS)
    answer = b""
    while len(answer) < len(EMPTY_SETTINGS) and (part := connection.recv(len(EMPTY_SETTINGS) - len(answer))):
        answer += part
    if answer[3:4] != EMPTY_SETTINGS[3:4]:
        raise Unreachable("what listens there is not Ray")
