"""A Ray cluster over hosts of their own, started as the launch files start one: token, health checks."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from kdsearch.errors import InputError
from kdsearch.ledger import TrialRecord
from kdsearch.sweep import Sweep
from kdsearch.sweep import load
from kdsearch.tracking import verify
from tests.cluster.files import CLUSTER
from tests.cluster.files import REPOSITORY
from tests.cluster.held import Hold
from tests.cluster.hosts import Host
from tests.cluster.hosts import Network
from tests.e2e.harness import HELD
from tests.services.cluster import OF_RAY
from tests.services.cluster import TRAINING

WAIT_SECONDS = 120
PORT = 6379
SCRATCH = Path("/tmp/kds")
"""Ray's sockets must have short paths."""


class RayHosts:
    """The head is named h0: it runs drivers and no trial. Sweeps are kept in `folder`, which all hosts share."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.folder = folder
        self.storage = folder / "kdsearch-data"
        self.hold = Hold(folder / "students")
        self.hosts: dict[str, Host] = {}
        self._network = network
        self._processes: list[subprocess.Popen[bytes]] = []
        self._environment = self._make_environment()

    def __enter__(self) -> Self:
        self.join("h0", cpus=0)
        return self

    def __exit__(self, *error: object) -> None:
        for host in self.hosts.values():
            host.end()
        for process in self._processes:
            process.wait()

    def join(self, name: str, cpus: int = 1) -> Host:
        """Start a host, and Ray on it; it may take a while until the cluster has it."""
        self.hosts[name] = host = self._network.add(name, SCRATCH)
        self.start_ray(name, cpus)
        return host

    def start_ray(self, name: str, cpus: int = 1) -> None:
        head = self.hosts["h0"]
        place = [f"--address={head.address}:{PORT}"]
        if name == "h0":
            place = ["--head", f"--port={PORT}", "--include-dashboard=false"]
        size = (f"--num-cpus={cpus}", "--object-store-memory=100000000")
        address = f"--node-ip-address={self.hosts[name].address}"
        ray = self.run_on(name, "ray", "start", *place, *size, address, "--disable-usage-stats", "--block")
        if name == "h0":
            self.wait_until(lambda: b"runtime started" in self._log(name).read_bytes() or ray.poll() is not None)
            assert ray.poll() is None, self.logs()

    def run_on(self, name: str, *words: str, environment: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Start a command on a host; what it prints goes to the host's log."""
        given = [*(f"{key}={value}" for key, value in self._environment.items()), *environment]
        command = self.hosts[name].command(["env", "-i", *given, *words], self.folder)
        with self._log(name).open("ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._processes.append(process)
        return process

    def start_sweep(self, *overrides: str) -> subprocess.Popen[bytes]:
        words = ("sweep", *HELD, f"storage={self.storage}", "cluster.address=auto", *overrides)
        return self.run_on("h0", sys.executable, "-m", "kdsearch", *words)

    def load(self) -> Sweep:
        return load("digits", storage=str(self.storage))

    def is_training(self, name: str) -> bool:
        return any(line.startswith(TRAINING) for line in self.hosts[name].processes().values())

    def has_workers(self, name: str) -> bool:
        """Whether a raylet or one of its workers is left there; Ray's agents take half a minute to notice."""
        return any(
            line.startswith("ray::") and not line.startswith(OF_RAY) or "/raylet " in line
            for line in self.hosts[name].processes().values()
        )

    def agreement(self) -> Mapping[str, int]:
        """How MLflow and the ledger compare."""
        sweep = self.load()
        return verify(f"sqlite:///{self.storage}/mlflow.db", sweep.record, sweep.records)

    def records(self) -> tuple[TrialRecord, ...]:
        with contextlib.suppress(InputError):  # the sweep is not there yet
            return self.load().records
        return ()

    def wait_until(self, is_so: Callable[[], bool], seconds: float = WAIT_SECONDS) -> float:
        """How many seconds it took."""
        began = time.monotonic()
        while not is_so():
            if time.monotonic() > began + seconds:
                raise AssertionError(f"not within {seconds:.0f} s\n{self.logs()}")
            time.sleep(0.1)
        return time.monotonic() - began

    def logs(self) -> str:
        files = [*self.folder.glob("*.log"), *self.storage.glob("sweeps/*/logs/*.log")]
        return "\n".join(f"{file.name}:\n{file.read_text(errors='replace')[-3000:]}" for file in sorted(files))

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _make_environment(self) -> dict[str, str]:
        """What a process sees after `. cluster/environment`, in a home with a token."""
        own = {
            "HOME": str(self.folder),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "TMPDIR": str(SCRATCH),
            "COLUMNS": "160",
            "OMP_NUM_THREADS": "1",
            **self.hold.environment,
        }
        made = "ray get-auth-token --generate > /dev/null 2>&1"
        script = f"umask 077 && . {CLUSTER}/environment && {made} && env"
        done = subprocess.run(["bash", "-c", script], env=own, check=True, capture_output=True, text=True)
        return own | dict(line.partition("=")[::2] for line in done.stdout.splitlines())
