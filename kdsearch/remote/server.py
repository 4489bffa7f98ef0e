"""The Ray cluster's job server, with what keeps it from answering said in one line."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.search.token import MISSING
from kdsearch.search.token import REFUSED
from kdsearch.search.token import has_token
from kdsearch.search.token import use_token

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

DEFAULT_ADDRESS = "http://127.0.0.1:8265"
ADDRESS_VARIABLES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
"""Ray lets these win over the address that it is given."""
TALKATIVE = (
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
    "ray._private.authentication.http_token_authentication",
    "ray._private.runtime_env.packaging",
)
"""Loggers of Ray's that speak of what goes well."""
TUNNEL = "reach it by a tunnel: ssh -N -L 8265:127.0.0.1:8265 HEAD"


def default_address() -> str:
    return os.environ.get("RAY_API_SERVER_ADDRESS") or DEFAULT_ADDRESS


def connect(address: str) -> JobSubmissionClient:
    """A client of the job server at `address`, with the token that Ray finds.

    Raises:
        InputError: nothing answers there, or it refuses the token, or wants one.
    """
    if not address.startswith(("http://", "https://")):
        allowed = f"must be the address of the cluster's dashboard, such as {DEFAULT_ADDRESS}"
        raise InputError([Problem("--address", address, allowed)])
    use_token()
    from ray.job_submission import JobSubmissionClient

    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    with answering(address), _without(ADDRESS_VARIABLES):
        return JobSubmissionClient(address)


@contextlib.contextmanager
def answering(address: str) -> Iterator[None]:
    """Within it, what the job server refuses, or that it is away, is an `InputError`."""
    import requests
    from ray.exceptions import AuthenticationError

    try:
        yield
    except AuthenticationError as error:
        raise InputError([Problem("--address", address, _refusal(str(error)))]) from error
    except (ConnectionError, requests.exceptions.RequestException) as error:
        raise InputError([Problem("--address", address, f"no Ray job server answers there; {TUNNEL}")]) from error
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError([Problem("--address", address, f"the job server there refuses it: {reason}")]) from error


def unencrypted(address: str) -> str | None:
    """A warning where a token would go over the network in the clear."""
    parts = urlsplit(address)
    if parts.scheme == "https" or not has_token() or parts.hostname in ("localhost", "::1"):
        return None
    if str(parts.hostname).startswith("127."):
        return None
    return f"the token goes to {parts.hostname} unencrypted; {TUNNEL}"


def _refusal(error: str) -> str:
    return REFUSED if "nvalid" in error else MISSING


@contextlib.contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    taken = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(taken)
