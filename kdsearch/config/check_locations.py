"""Checks of the places a sweep writes to, without writing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from kdsearch.config.locations import is_s3
from kdsearch.config.schema import SweepConfig
from kdsearch.config.secrets import is_masked
from kdsearch.errors import Problem
from kdsearch.sqlite import sqlite_file

_LEDGER = ("sqlite:///", "postgresql://", "postgresql+psycopg://")
_MLFLOW = (
    "sqlite:///",
    "postgresql://",
    "postgresql+psycopg://",
    "mysql",
    "mssql",
    "http://",
    "https://",
    "databricks",
)


def location_problems(config: SweepConfig) -> Iterable[Problem]:
    """What is wrong with `storage`, `ledger` and `mlflow.tracking_uri`."""
    yield from _storage_problems(config.storage)
    databases = {"ledger": (config.ledger, _LEDGER), "mlflow.tracking_uri": (str(config.mlflow.tracking_uri), _MLFLOW)}
    for key, (url, schemes) in databases.items():
        yield from _database_problems(key, url, schemes, Path(config.storage))
        if is_s3(config.storage) and sqlite_file(url) is not None:
            yield Problem(key, url, "must name a server, because storage is on S3")


def _storage_problems(storage: str) -> Iterable[Problem]:
    if is_s3(storage):
        if not storage.removeprefix("s3://").strip("/"):
            yield Problem("storage", storage, "must name a bucket: s3://bucket/prefix")
    elif not storage or "://" in storage:
        yield Problem("storage", storage, "must be a folder or s3://bucket/prefix")
    elif (reason := not_writable(Path(storage))) is not None:
        yield Problem("storage", storage, reason)


def _database_problems(key: str, url: str, schemes: tuple[str, ...], storage: Path) -> Iterable[Problem]:
    if not url.startswith(schemes):
        yield Problem(key, url, f"must start with one of {', '.join(schemes)}")
    elif is_masked(url):
        yield Problem(
            key, url, "its password was not stored; give it again, best as a reference such as ${oc.env:NAME}"
        )
    elif (file := sqlite_file(url)) is not None and file.parent != storage:
        if not file.name or file.is_dir():
            yield Problem(key, url, "must name a file: sqlite:///PATH")
        elif (reason := not_writable(file.parent)) is not None:
            yield Problem(key, url, reason)


def not_writable(folder: Path) -> str | None:
    """Why files cannot be created in `folder` (which need not exist yet), or None."""
    nearest = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not nearest.is_dir():
        return f"must be a folder that can be created: {nearest} is not a folder"
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"must be writable: {nearest} is not"
    return None
