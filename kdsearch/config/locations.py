"""Where a sweep keeps things: relative paths made absolute, and the defaults that follow from `storage`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kdsearch.errors import Problem

SQLITE = "sqlite:///"
_NEEDS_SERVER = "with an S3 storage it must name a server, such as "


def is_s3(storage: str) -> bool:
    return storage.startswith("s3://")


def make_absolute(container: dict[str, Any]) -> None:
    """Make the local paths in a composed configuration absolute, in place; references (`${…}`) are left alone."""
    container["storage"] = _absolute_folder(container.get("storage"))
    container["ledger"] = _absolute_sqlite(container.get("ledger"))
    if isinstance(mlflow := container.get("mlflow"), dict):
        mlflow["tracking_uri"] = _absolute_sqlite(mlflow.get("tracking_uri"))
    if isinstance(dataset := container.get("dataset"), dict):
        dataset["root"] = _absolute_folder(dataset.get("root"))


def fill_databases(container: dict[str, Any]) -> list[Problem]:
    """Set the ledger and the tracking URI that are null to SQLite files inside a local storage, in place."""
    storage, mlflow = container.get("storage"), container.get("mlflow")
    if not isinstance(storage, str) or not isinstance(mlflow, dict):
        return []
    problems = []
    if container.get("ledger") is None:
        container["ledger"] = _inside(storage, "ledger.db") or "postgresql://"
        if is_s3(storage):
            problems.append(Problem("ledger", None, _NEEDS_SERVER + "postgresql://HOST/DATABASE"))
    if mlflow.get("tracking_uri") is None:
        mlflow["tracking_uri"] = _inside(storage, "mlflow.db") or "http://"
        if is_s3(storage):
            problems.append(Problem("mlflow.tracking_uri", None, _NEEDS_SERVER + "http://HOST:5000"))
    return problems


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL, or None for a server."""
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None


def _inside(storage: str, file: str) -> str | None:
    return None if is_s3(storage) else f"{SQLITE}{storage}/{file}"


def _absolute_folder(folder: Any) -> Any:
    if not isinstance(folder, str) or not folder or "://" in folder or "${" in folder:
        return folder
    return os.path.abspath(os.path.expanduser(folder))


def _absolute_sqlite(url: Any) -> Any:
    if not isinstance(url, str) or not url.startswith(SQLITE) or "${" in url:
        return url
    return SQLITE + os.path.abspath(os.path.expanduser(url.removeprefix(SQLITE)))
