"""One of each server for the session; tests keep their data apart by database, bucket prefix or sweep name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.servers import MlflowServer
from tests.services.servers import PostgresServer
from tests.services.servers import S3Server


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
