"""The place that a launcher has set in the environment: where sweeps are kept, for every command that is not told."""

from __future__ import annotations

import os
from collections.abc import Container

VARIABLES = {"storage": "KDSEARCH_STORAGE", "ledger": "KDSEARCH_LEDGER", "mlflow.tracking_uri": "KDSEARCH_MLFLOW"}


def is_set(key: str) -> bool:
    """Whether the environment has a value for `key`, one of `VARIABLES`."""
    return bool(os.environ.get(VARIABLES[key]))


def place_overrides(given: Container[str] = ()) -> list[str]:
    """Overrides for what the environment names, but for the keys that are `given`.

    Addresses of servers are references, since they may hold a password; the storage is what it is, so that others who
    look into the ledger find it.
    """
    missing = [key for key in VARIABLES if is_set(key) and key not in given]
    return [f"{key}={os.environ[VARIABLES[key]] if key == 'storage' else _reference(key)}" for key in missing]


def _reference(key: str) -> str:
    return f"${{oc.env:{VARIABLES[key]}}}"
