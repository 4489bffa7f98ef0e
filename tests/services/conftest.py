"""One of each server for the session; tests keep their data apart by database, bucket prefix or sweep name."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.servers import MlflowServer
from tests.services.servers import PostgresServer
from tests.services.servers import S3Server
from tests.services.stack import Stack
from tests.services.stack import stack


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture(scope="session")
def mlflow(postgres: PostgresServer) -> Iterator[MlflowServer]:
    with MlflowServer(postgres.create_database("mlflow")) as server:
        yield server


@pytest.fixture(scope="session")
def shared_stack(postgres: PostgresServer, s3: S3Server, mlflow: MlflowServer) -> Iterator[Stack]:
    # A short path: Ray's sockets lie in it.
    with tempfile.TemporaryDirectory(prefix="kds-", ignore_cleanup_errors=True) as temporary:
        with stack(postgres, s3, mlflow, Path(temporary)) as started:
            yield started
