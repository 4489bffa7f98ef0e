"""MLflow's pages of a sweep: served on this machine where the tracking URI is a database, else just opened."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from kdsearch.config.secrets import mask_url
from kdsearch.errors import ExitCode
from kdsearch.errors import InputError
from kdsearch.errors import KdsearchError
from kdsearch.errors import Problem
from kdsearch.ledger.records import SweepRecord
from kdsearch.tracking.environment import prepare_environment
from kdsearch.tracking.verify import experiment_name
from kdsearch.tracking.views import charts_link

HOST = "127.0.0.1"
FIRST_PORT = 5000
START_SECONDS = 120.0


def show(tracking_uri: str, sweep: SweepRecord | None, port: int | None, *, open_browser: bool) -> int:
    """Print, and open, the address of a sweep's charts (of all experiments without a sweep).

    For a database, serve it until Ctrl-C or SIGTERM.

    Raises:
        InputError: the port is taken.
        KdsearchError: the server does not come up.
    """
    prepare_environment()
    if tracking_uri.startswith(("http://", "https://")):
        _announce(_address(tracking_uri, without_credentials(tracking_uri), sweep), open_browser)
        return ExitCode.DONE
    port = _free_port() if port is None else _checked(port)
    base = f"http://{HOST}:{port}"
    with _server(tracking_uri, port) as process:
        _wait_until_healthy(process, base)
        _announce(_address(base, base, sweep), open_browser)
        print("Ctrl-C ends it", flush=True)
        process.wait()
    return ExitCode.DONE


def without_credentials(url: str) -> str:
    """`https://user:password@host/path` → `https://host/path`."""
    return re.sub(r"://[^/]*@", "://", url)


def _announce(address: str, open_browser: bool) -> None:
    print(address, flush=True)
    has_display = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if open_browser and has_display:
        webbrowser.open(address)


def _address(tracking_uri: str, base: str, sweep: SweepRecord | None) -> str:
    if sweep is None:
        return f"{base.rstrip('/')}/#/experiments"
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    name = experiment_name(sweep)
    try:
        experiment = MlflowClient(tracking_uri).get_experiment_by_name(name)
    except MlflowException as error:
        message = mask_url(str(error)).splitlines()[0]
        raise KdsearchError(f"mlflow.tracking_uri={mask_url(tracking_uri)}: cannot be asked: {message}") from None
    if experiment is None:
        raise InputError([Problem("mlflow.experiment", name, f"MLflow has no such experiment at {tracking_uri}")])
    return charts_link(base, experiment.experiment_id, f"kdsearch-{sweep.uid[:8]}-space")


def _free_port() -> int:
    return next(port for port in range(FIRST_PORT, 2**16) if _is_free(port))


def _checked(port: int) -> int:
    if not 0 < port < 2**16:
        raise InputError([Problem("--port", port, "must be 1 to 65535")])
    if not _is_free(port):
        raise InputError([Problem("--port", port, "is taken; leave it out to get a free one")])
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


@contextmanager
def _server(database: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """MLflow's server as a child, ended with the block, on Ctrl-C and on SIGTERM."""
    # The database's address may hold a password, so it travels in the environment, where `ps` does not show it.
    environment = os.environ | {
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    with tempfile.TemporaryDirectory(prefix="kdsearch-ui-") as folder, tempfile.TemporaryFile() as log:
        # It makes folders where it is started; and a session of its own lets us end its workers with it.
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            yield process
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGTERM, before)
            _end(process)


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


def _wait_until_healthy(process: subprocess.Popen[bytes], base: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{base}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise KdsearchError(f"MLflow's server did not come up at {base}; try `python -m mlflow server` to see why")
