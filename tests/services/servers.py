"""Real servers that can be killed and started again on the same port and data: PostgreSQL, SeaweedFS (S3), MLflow."""

from __future__ import annotations

import json
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from abc import ABC
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import Self

HOST = "127.0.0.1"
START_SECONDS = 120
STOP_SECONDS = 30
PORTS = range(12_000, 22_000)
GRPC_OFFSET = 10_000
"""SeaweedFS serves gRPC on each HTTP port plus this."""


class ServerError(RuntimeError):
    """A server that is not installed, or that did not start."""


class Server(ABC):
    """A server process on this machine, in a session of its own; a context manager starts and removes it."""

    name: str
    _kill_signal = signal.SIGKILL

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"kdsearch-{self.name}-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()

    def start(self) -> None:
        """Start it, on the data that is there, and wait until it answers."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it without waiting for it."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                env=self._environment(),
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **self._popen_options(),
            )

    def wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            if self._is_ready():
                return
            time.sleep(0.1)
        raise ServerError(f"{self.name} did not start:\n{self.log.read_text(errors='replace')[-3000:]}")

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._end(self._kill_signal)

    def restart(self) -> None:
        self.kill()
        self.start()

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def remove(self) -> None:
        """End it and delete its data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _is_ready(self) -> bool: ...

    def _environment(self) -> Mapping[str, str]:
        return os.environ

    def _popen_options(self) -> dict[str, Any]:
        return {}

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class PostgresServer(Server):
    """PostgreSQL with password authentication over TCP. It refuses root, so then it runs as its package's user."""

    name = "postgresql"
    _kill_signal = signal.SIGQUIT
    """Immediate shutdown: sessions are cut and the next start recovers. SIGKILL would leave its children behind."""

    def __init__(self) -> None:
        super().__init__()
        self._binaries = _postgres_binaries()
        self._user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        self.password = secrets.token_hex(12)
        self._initialize()

    def create_database(self, name: str) -> str:
        """A fresh database; returns its URL."""
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://kdsearch:{self.password}@{HOST}:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> Any:
        import psycopg

        return psycopg.connect(
            host=HOST,
            port=self.port,
            user="kdsearch",
            password=self.password,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )

    def dump(self, database: str) -> str:
        """The database as `pg_dump` writes it."""
        command = [
            str(self._binaries / "pg_dump"),
            f"--host={HOST}",
            f"--port={self.port}",
            "--username=kdsearch",
            database,
        ]
        environment = {**os.environ, "PGPASSWORD": self.password}
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    def _initialize(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if self._user is not None:
            for path in (self.folder, password_file):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        command = [str(self._binaries / "initdb"), f"--pgdata={self._data}", "--username=kdsearch", "--encoding=UTF8"]
        command += ["--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={password_file}", "--no-sync"]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, **self._popen_options())
        password_file.unlink()

    def _command(self) -> list[str]:
        # No process of these tests outlives a crash of the machine, so nothing has to reach the disk.
        settings = {"listen_addresses": HOST, "port": self.port, "unix_socket_directories": "", "fsync": "off"}
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return [str(self._binaries / "postgres"), "-D", str(self._data), *options]

    def _is_ready(self) -> bool:
        import psycopg

        try:
            with self.connect():
                return True
        except psycopg.OperationalError:
            return False

    def _popen_options(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    @property
    def _data(self) -> Path:
        return self.folder / "data"


class S3Server(Server):
    """SeaweedFS, installed by `make services`, with one identity and one bucket."""

    name = "seaweedfs"
    bucket = "kdsearch"

    def __init__(self) -> None:
        super().__init__()
        self._weed = _weed()
        self._other_ports = {name: free_port() for name in ("master", "volume", "filer")}
        self.key, self.secret = f"key-{secrets.token_hex(4)}", secrets.token_hex(16)
        credentials = [{"accessKey": self.key, "secretKey": self.secret}]
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        identity = {"name": "test", "credentials": credentials, "actions": actions}
        self._config.write_text(json.dumps({"identities": [identity]}))

    @property
    def environment(self) -> dict[str, str]:
        """What boto3 needs to know."""
        return {
            "AWS_ENDPOINT_URL_S3": f"http://{HOST}:{self.port}",
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def client(self) -> Any:
        import boto3

        return boto3.session.Session().client(
            "s3",
            endpoint_url=f"http://{HOST}:{self.port}",
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
        )

    def keys(self, prefix: str) -> list[str]:
        """The names of everything below a folder of the bucket."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{prefix}/")
        return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def start(self) -> None:
        super().start()
        client = self.client()
        if self.bucket not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=self.bucket)

    def _command(self) -> list[str]:
        command = [self._weed, "mini", f"-dir={self.folder}", f"-ip={HOST}", f"-ip.bind={HOST}"]
        command += [f"-s3.port={self.port}", *(f"-{name}.port={port}" for name, port in self._other_ports.items())]
        command += ["-master.telemetry=false", "-admin.ui=false", "-webdav=false"]
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
        return [*command, f"-s3.config={self._config}"]

    def _is_ready(self) -> bool:
        return _answers(f"http://{HOST}:{self.port}/healthz")

    @property
    def _config(self) -> Path:
        return self.folder / "s3.json"


class MlflowServer(Server):
    """`mlflow server` on a database: SQLite in its own folder, or the one at `backend`."""

    name = "mlflow"

    def __init__(self, backend: str | None = None) -> None:
        super().__init__()
        self.backend = backend or f"sqlite:///{self.folder}/mlflow.db"
        self.uri = f"http://{HOST}:{self.port}"

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(self.port)]
        return [*command, "--workers", "1", "--artifacts-destination", str(self.folder / "artifacts")]

    def _environment(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "MLFLOW_BACKEND_STORE_URI": self.backend,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }

    def _is_ready(self) -> bool:
        return _answers(f"{self.uri}/health")


def free_port() -> int:
    """A port below those that outgoing connections are given, which could take it while its server is down."""
    while True:
        port = random.choice(PORTS)
        if _is_free(port) and _is_free(port + GRPC_OFFSET):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as candidate:
        try:
            candidate.bind((HOST, port))
        except OSError:
            return False
    return True


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def _weed() -> str:
    found = shutil.which("weed", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    if found is None:
        raise ServerError("SeaweedFS is not installed; `make services` does it")
    return found


def _postgres_binaries() -> Path:
    """The folder of the newest installed PostgreSQL's binaries (Debian keeps the server's off the PATH)."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    on_path = shutil.which("initdb")
    if folders:
        return folders[-1]
    if on_path is None:
        raise ServerError("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    return Path(on_path).parent
