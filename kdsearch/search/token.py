"""Ray's token: whether there is one, and that Ray uses it."""

from __future__ import annotations

import os
from pathlib import Path

FILE = Path("~/.ray/auth_token")
REFUSED = "it refuses the token; RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token must hold the cluster's"
MISSING = "it asks for a token; put the cluster's into RAY_AUTH_TOKEN or ~/.ray/auth_token"


def has_token() -> bool:
    """Whether Ray will find a token."""
    named = bool(os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"))
    return named or FILE.expanduser().is_file()


def use_token() -> None:
    """Have Ray send its token, if there is one and RAY_AUTH_MODE does not say otherwise.

    Only to a cluster that asks for it: a driver that does so wants one from the cluster, too.
    """
    if has_token() and "RAY_AUTH_MODE" not in os.environ:
        from ray._raylet import Config  # type: ignore[attr-defined]

        os.environ["RAY_AUTH_MODE"] = "token"
        Config.initialize("")  # as read when Ray was imported
