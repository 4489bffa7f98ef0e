"""Does a Ray cluster listen at an address? Asked before anything is written."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator

from kdsearch.config.schema import ClusterConfig
from kdsearch.errors import InputError
from kdsearch.errors import KdsearchError
from kdsearch.errors import Problem
from kdsearch.search.token import MISSING
from kdsearch.search.token import REFUSED
from kdsearch.search.token import has_token
from kdsearch.search.token import use_token

CONNECT_SECONDS = 5
EMPTY_SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""A frame of HTTP/2: length (3 bytes), type (1: settings are 4), flags (1), stream (4)."""

NODE_SECONDS = 5
"""How long a node of this machine may take to be there after its cluster."""

SUBMIT = "send it there with `kdsearch submit`"
NO_NODE = f"this machine is none of its nodes; run this on one, or {SUBMIT}"
ADVICE = {
    "aws": f"run this on the head node (ray attach cluster/aws.yaml), or {SUBMIT}",
    "kuberay": f"run this in the head's pod (cluster/kuberay-rayjob.yaml does), or {SUBMIT}",
    "slurm": "run this inside a job (sbatch cluster/slurm.sbatch)",
}
"""Where a sweep is to be started, by the place it runs at."""


class Unreachable(KdsearchError):
    """The Ray cluster cannot be joined."""


class Refused(Unreachable):
    """It is up, but our token is not its, or this machine is none of its nodes."""


def require_cluster(cluster: ClusterConfig) -> None:
    """Look whether the cluster that a sweep is to join is up.

    Raises:
        InputError: it is not; says where to start the sweep instead.
    """
    if cluster.is_own:
        return
    try:
        knock(str(cluster.address))
    except Refused as error:
        raise InputError([Problem("cluster.address", cluster.address, str(error))]) from error
    except Unreachable as error:
        here = cluster.address == "auto"
        advice = ADVICE.get(cluster.place, f"{'run this on the head node' if here else 'start Ray there'}, or {SUBMIT}")
        allowed = f"no Ray cluster answers there ({error}); {advice}"
        raise InputError([Problem("cluster.address", cluster.address, allowed)]) from error


def knock(address: str) -> None:
    """Does a Ray cluster listen there? Ray itself would try for half a minute, and for minutes where a server hangs.

    Raises:
        Unreachable: it does not.
        Refused: it does not take our token, or has no node here.
    """
    try:
        place = place_of(address)
        if place is None:
            raise Unreachable("no Ray cluster is up on this machine")
        host, _, port = place.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS) as connection:
            if os.environ.get("RAY_USE_TLS", "0") != "1":
                _shake_hands(connection)
        if not address.startswith("ray://"):
            _show_token(place)
            _find_node()
    except TimeoutError as error:
        raise Unreachable(f"no answer within {CONNECT_SECONDS} s") from error
    except (OSError, ValueError) as error:
        raise Unreachable(getattr(error, "strerror", None) or str(error)) from error


def place_of(address: str) -> str | None:
    """Host and port of a cluster; None where `auto` finds none on this machine."""
    from ray._private.services import canonicalize_bootstrap_address

    place: str | None = canonicalize_bootstrap_address(address.removeprefix("ray://"))
    return place


def _show_token(place: str) -> None:
    """Show it to those who ask for it. Ray itself would try for twenty seconds, and then not say why."""
    from ray.exceptions import AuthenticationError

    try:
        with silent():
            try:
                _greet(place)
            except AuthenticationError:
                use_token()
                _greet(place)
    except AuthenticationError as error:
        raise Refused(REFUSED if has_token() else MISSING) from error
    except RuntimeError as error:
        raise Unreachable(" ".join(str(error).split())) from error


def _find_node() -> None:
    """Look for a node on this machine, as Ray does, which takes a minute and does not say what it has looked for."""
    from ray._private.services import find_node_ids

    deadline = time.monotonic() + NODE_SECONDS
    while not find_node_ids():
        if time.monotonic() > deadline:
            raise Refused(NO_NODE)
        time.sleep(0.2)


def _greet(place: str) -> None:
    from ray._raylet import GcsClient  # type: ignore[attr-defined]
    from ray.exceptions import AuthenticationError
    from ray.exceptions import RayError

    try:
        GcsClient(address=place)
    except AuthenticationError:
        raise
    except RayError:  # of no consequence here
        pass


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Ray's native code writes past `sys.stderr`, a line for each try."""
    sys.stderr.flush()
    terminal = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def _shake_hands(connection: socket.socket) -> None:
    """Ray's servers speak gRPC, so HTTP/2: both sides begin with their settings."""
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + EMPTY_SETTINGS)
    answer = b""
    while len(answer) < len(EMPTY_SETTINGS) and (part := connection.recv(len(EMPTY_SETTINGS) - len(answer))):
        answer += part
    if answer[3:4] != EMPTY_SETTINGS[3:4]:
        raise Unreachable("what listens there is not Ray")
