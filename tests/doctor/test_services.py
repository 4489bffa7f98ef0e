"""What the doctor finds at real servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kdsearch.ledger import open_ledger
from tests.doctor.conftest import Examine
from tests.doctor.conftest import bad
from tests.services.servers import MlflowServer
from tests.services.servers import PostgresServer
from tests.services.servers import S3Server

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="module")
def mlflow(postgres: PostgresServer) -> Iterator[MlflowServer]:
    with MlflowServer(postgres.create_database("mlflow")) as server:
        yield server


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """With its credentials in the environment."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture
def database(postgres: PostgresServer, request: pytest.FixtureRequest) -> str:
    """The URL of an empty database."""
    return postgres.create_database(request.node.name)


def test_shared_services_that_will_do(
    examined: Examine, database: str, postgres: PostgresServer, mlflow: MlflowServer, s3: S3Server
) -> None:
    places = [f"storage=s3://{s3.bucket}/deep/prefix", f"ledger={database}", f"mlflow.tracking_uri={mlflow.uri}"]
    findings = examined(*places)
    assert not bad(findings)
    assert "writable and empty" in findings["ledger"].found
    assert "answers, MLflow 3" in findings["mlflow"].found
    assert "credentials from the environment" in findings["storage"].found
    assert f"127.0.0.1:{s3.port}" in findings["storage"].found
    text = repr(findings)
    assert s3.secret not in text and postgres.password not in text
    assert "CREATE TABLE" not in postgres.dump(database.rpartition("/")[2])
    assert "Contents" not in s3.client().list_objects_v2(Bucket=s3.bucket)


def test_credentials_that_s3_refuses(
    examined: Examine, database: str, mlflow: MlflowServer, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    findings = examined(f"storage=s3://{s3.bucket}", f"ledger={database}", f"mlflow.tracking_uri={mlflow.uri}")
    assert bad(findings) == ["storage"]
    assert "refuses the credentials from the environment" in findings["storage"].found
    assert "wrong-secret" not in repr(findings)


def test_nodes_without_credentials_for_s3(
    examined: Examine, database: str, mlflow: MlflowServer, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_dashboard": False}
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        for name, value in s3_server.environment.items():
            monkeypatch.setenv(name, value)
        places = [f"storage=s3://{s3_server.bucket}", f"ledger={database}", f"mlflow.tracking_uri={mlflow.uri}"]
        findings = examined(f"cluster.address={cluster.address}", *places)
    finally:
        cluster.shutdown()
    assert bad(findings) == ["storage"]
    assert "on node" in findings["storage"].found and "boto3 finds no credentials" in findings["storage"].found


def test_a_bucket_that_is_not_there_is_not_made(
    examined: Examine, database: str, mlflow: MlflowServer, s3: S3Server
) -> None:
    findings = examined("storage=s3://elsewhere", f"ledger={database}", f"mlflow.tracking_uri={mlflow.uri}")
    assert bad(findings) == ["storage"]
    assert "there is no bucket elsewhere" in findings["storage"].found
    assert [bucket["Name"] for bucket in s3.client().list_buckets()["Buckets"]] == [s3.bucket]


def test_a_ledger_that_is_there_stays_as_it_is(examined: Examine, database: str, postgres: PostgresServer) -> None:
    open_ledger(database, create=True).close()
    before = _dump(postgres, database)
    findings = examined(f"ledger={database}")
    assert "writable and holds 0 sweeps" in findings["ledger"].found
    assert _dump(postgres, database) == before


def test_a_database_that_may_only_be_read(examined: Examine, database: str, postgres: PostgresServer) -> None:
    open_ledger(database, create=True).close()
    with postgres.connect() as connection:
        connection.execute(f'ALTER DATABASE "{database.rpartition("/")[2]}" SET default_transaction_read_only = on')
    findings = examined(f"ledger={database}")
    assert bad(findings) == ["ledger"]
    assert "cannot be written to" in findings["ledger"].found


def test_logins_and_databases_that_are_wrong(examined: Examine, database: str, postgres: PostgresServer) -> None:
    login = examined(f"ledger={database.replace(postgres.password, 'hunter2')}")["ledger"]
    assert login.is_bad and "refuses the login" in login.found
    missing = examined(f"ledger={postgres.url('nothing')}")["ledger"]
    assert missing.is_bad and "does not exist" in missing.found and "createdb" in missing.found


def test_a_ledger_in_mlflows_database(examined: Examine, mlflow: MlflowServer) -> None:
    findings = examined(f"ledger={mlflow.backend}", f"mlflow.tracking_uri={mlflow.backend}")
    assert "mlflow.tracking_uri too" in findings["ledger"].found
    assert not findings["mlflow"].is_bad
    assert "another program" in examined(f"ledger={mlflow.backend}")["ledger"].found


def _dump(postgres: PostgresServer, database: str) -> list[str]:
    # The lines that differ between any two dumps.
    lines = postgres.dump(database.rpartition("/")[2]).splitlines()
    return [line for line in lines if not line.startswith(("\\restrict", "\\unrestrict"))]
