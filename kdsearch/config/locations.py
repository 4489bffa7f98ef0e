"""Where a sweep keeps things: relative paths made absolute, and the defaults that follow from `storage`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from kdsearch.errors import Problem
from kdsearch.sqlite import SQLITE

DEFAULT_STORAGE = "./kdsearch-data"
"""As in `config.yaml`."""
PRETRAINED = "pretrained"
"""The value of a teacher's `weights` that is no file."""


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
    _make_weights_absolute(container.get("teacher"))
    for teacher in _values(container.get("teachers")):
        _make_weights_absolute(teacher)


def fill_databases(container: dict[str, Any]) -> list[Problem]:
    """Set the ledger and the tracking URI that are null to SQLite files inside a local storage, in place."""
    storage = container.get("storage")
    problems = _fill(container, "ledger", "ledger", storage, "postgresql://HOST/DATABASE")
    if isinstance(mlflow := container.get("mlflow"), dict):
        problems += _fill(mlflow, "tracking_uri", "mlflow.tracking_uri", storage, "http://HOST:5000")
    return problems


def _make_weights_absolute(teacher: Any) -> None:
    if not isinstance(teacher, dict):
        return
    if teacher.get("weights") not in (None, PRETRAINED):
        teacher["weights"] = _absolute_folder(teacher["weights"])
    for member in _values(teacher.get("members")):
        _make_weights_absolute(member)


def _values(container: Any) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else ()


def _fill(container: dict[str, Any], name: str, key: str, storage: Any, server: str) -> list[Problem]:
    if container.get(name) is not None:
        return []
    if isinstance(storage, str) and is_s3(storage):
        container[name] = server
        return [Problem(key, None, f"with an S3 storage it must name a server, such as {server}")]
    container[name] = f"{SQLITE}{storage}/{key.partition('.')[0]}.db"
    return []


def _absolute_folder(folder: Any) -> Any:
    if not isinstance(folder, str) or not folder or "://" in folder or "${" in folder:
        return folder
    return os.path.abspath(os.path.expanduser(folder))


def _absolute_sqlite(url: Any) -> Any:
    if not isinstance(url, str) or not url.startswith(SQLITE) or "${" in url:
        return url
    return SQLITE + os.path.abspath(os.path.expanduser(url.removeprefix(SQLITE)))
