"""What a shared sweep stands on: PostgreSQL for the ledger, S3 for the storage, an MLflow server, a Ray cluster."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.harness import Locations
from tests.e2e.harness import Workplace
from tests.services.cluster import RayCluster
from tests.services.servers import MlflowServer
from tests.services.servers import PostgresServer
from tests.services.servers import S3Server

NODES = 2


@dataclass(frozen=True)
class Stack:
    postgres: PostgresServer
    s3: S3Server
    mlflow: MlflowServer
    cluster: RayCluster
    temporary: Path
    """TMPDIR of every process of the cluster, and of the sweeps."""

    def workplace(self, folder: Path, user: str, module: str = "kdsearch", mlflow_login: str = "") -> Workplace:
        """Where `user` starts sweeps, with a ledger and a storage of their own. `mlflow_login` is `USER:PASSWORD`."""
        tracking_uri = self.mlflow.uri.replace("://", f"://{mlflow_login}@") if mlflow_login else self.mlflow.uri
        locations = Locations(self.storage(user), self.postgres.create_database(user), tracking_uri)
        return Workplace(folder, self.cluster.address, locations, environment(self.s3, self.temporary), module)

    def storage(self, user: str) -> str:
        return f"s3://{self.s3.bucket}/{user}"


def environment(s3: S3Server, temporary: Path) -> dict[str, str]:
    """What the sweeps' processes see of it: drivers and workers alike."""
    return {**s3.environment, "TMPDIR": str(temporary), "RAY_AUTH_MODE": "disabled"}


@contextlib.contextmanager
def new_stack() -> Iterator[Stack]:
    """All of it, started for the block."""
    with contextlib.ExitStack() as services:
        # A short path: Ray's sockets lie in it.
        temporary = services.enter_context(tempfile.TemporaryDirectory(prefix="kds-", ignore_cleanup_errors=True))
        postgres = services.enter_context(PostgresServer())
        s3 = services.enter_context(S3Server())
        mlflow = services.enter_context(MlflowServer(postgres.create_database("mlflow")))
        cluster = services.enter_context(RayCluster(NODES, environment(s3, Path(temporary))))
        yield Stack(postgres, s3, mlflow, cluster, Path(temporary))
