"""A Ray head with token authentication and a dashboard, as launch files start one, on this machine."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import kdsearch

TOKEN = "0123456789abcdef" * 4
STOPPED = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE")


class Head:
    """Two CPUs. `environment` is what the sweeps there see; the dashboard listens at `host`."""

    def __init__(self, folder: Path, environment: Mapping[str, str], host: str = "127.0.0.1") -> None:
        self.folder = folder
        self._environment = environment
        self._host = host
        self._ports = _free_ports(5)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Of the dashboard."""
        return f"http://{self._host}:{self._ports[0]}"

    @property
    def gcs_address(self) -> str:
        """Where a driver joins; Ray takes the machine's own address where it is given the loopback's."""
        found = re.search(rf"[0-9.]+:{self._ports[1]}", self.log())
        assert found is not None, self.log()
        return found[0]

    def __enter__(self) -> Self:
        dashboard, gcs, agent_http, agent_grpc, metrics = self._ports
        command = [
            str(Path(sys.executable).with_name("ray")),
            *("start", "--head", "--block", "--num-cpus=2", "--object-store-memory=150000000"),
            *("--node-ip-address=127.0.0.1", f"--port={gcs}", f"--temp-dir={self.folder / 'ray'}"),
            *("--include-dashboard=true", f"--dashboard-host={self._host}", f"--dashboard-port={dashboard}"),
            *(f"--dashboard-agent-listen-port={agent_http}", f"--dashboard-agent-grpc-port={agent_grpc}"),
            *(f"--metrics-export-port={metrics}", "--disable-usage-stats"),
        ]
        with (self.folder / "head.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, env=self._env(), start_new_session=True
            )
        self._wait()
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process is not None
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _env(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if name not in STOPPED}
        path = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
        package = str(Path(kdsearch.__file__).parent.parent)
        auth = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
        return clean | auth | {"PATH": path, "PYTHONPATH": package, "OMP_NUM_THREADS": "1"} | dict(self._environment)

    def _wait(self) -> None:
        deadline = time.monotonic() + 120
        request = urllib.request.Request(f"{self.address}/api/version", headers={"Authorization": f"Bearer {TOKEN}"})
        while time.monotonic() < deadline:
            assert self._process is not None and self._process.poll() is None, self.log()
            try:
                with urllib.request.urlopen(request, timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.3)
        raise AssertionError(f"no dashboard in time\n{self.log()}")

    def log(self) -> str:
        return (self.folder / "head.log").read_text(errors="replace")[-4000:]


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
