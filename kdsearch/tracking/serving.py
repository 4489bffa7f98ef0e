"""MLflow's server on this machine: found where one already serves the database, else started and ended with us."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from types import FrameType

from kdsearch.errors import KdsearchError

LOCAL = "127.0.0.1"
FIRST_PORT = 5000
PORTS_LOOKED_AT = 20
START_SECONDS = 120.0
_EVERYWHERE = ("0.0.0.0", "")
APP = "kdsearch"
"""The entry point of `kdsearch.tracking.server`."""


def find_server(database: str, ports: Iterable[int]) -> str | None:
    """The address of a server on this machine that serves `database`; asks only those of `ports` that answer."""
    answering = [base for base in (base_of(LOCAL, port) for port in ports) if _is_healthy(base)]
    if not answering:
        return None
    ours = _experiments(database)
    return next((base for base in answering if _experiments(base) == ours), None)


def usual_ports() -> range:
    return range(FIRST_PORT, FIRST_PORT + PORTS_LOOKED_AT)


def free_port(host: str) -> int:
    return next(port for port in range(FIRST_PORT, 2**16) if is_free(host, port))


def is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


@contextmanager
def serve(database: str, host: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """MLflow's server as a child that answers, ended with the block, on Ctrl-C and on SIGTERM.

    Raises:
        KdsearchError: it does not come up.
    """
    with tempfile.TemporaryDirectory(prefix="kdsearch-ui-") as folder, tempfile.TemporaryFile() as log:
        # It makes folders where it is started; and a session of its own lets us end its workers with it.
        process = subprocess.Popen(
            _command(host, port),
            cwd=folder,
            env=_environment(database),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            _wait_until_healthy(process, base_of(host, port))
            yield process
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGTERM, before)
            _end(process)


def _command(host: str, port: int) -> list[str]:
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1"]
    # An installation from before the entry point shows a hundred runs at once, as MLflow does by itself.
    is_known = any(point.name == APP for point in entry_points(group="mlflow.app"))
    return [*command, "--app-name", APP] if is_known else command


def _environment(database: str) -> dict[str, str]:
    # The database's address may hold a password, so it travels in the environment, where `ps` does not show it.
    return os.environ | {
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def base_of(host: str, port: int) -> str:
    """The address at which this machine reaches a server on `host`."""
    return f"http://{LOCAL if host in _EVERYWHERE else host}:{port}"


def _is_healthy(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base}/health", timeout=2) as response:
            return bool(response.read(10) == b"OK")
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _experiments(tracking_uri: str) -> set[tuple[str, str, int | None]] | None:
    """What tells one database from another: even an empty one has an experiment, made at some millisecond."""
    from mlflow.entities import ViewType
    from mlflow.tracking import MlflowClient

    try:
        found = MlflowClient(tracking_uri).search_experiments(view_type=ViewType.ALL)
    except Exception:
        return None
    return {(str(one.experiment_id), one.name, one.creation_time) for one in found}


def _wait_until_healthy(process: subprocess.Popen[bytes], base: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _is_healthy(base):
            return
        time.sleep(0.2)
    raise KdsearchError(f"MLflow's server did not come up at {base}; try `python -m mlflow server` to see why")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(10)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
