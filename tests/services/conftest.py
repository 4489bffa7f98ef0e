"""One of each server for the session; tests keep their data apart by database, bucket prefix or sweep name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.servers import S3Server
from tests.services.stack import Stack
from tests.services.stack import new_stack


@pytest.fixture(scope="session")
def shared_stack() -> Iterator[Stack]:
    with new_stack() as started:
        yield started


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server
