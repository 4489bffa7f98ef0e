"""A Slurm cluster on this machine: slurmctld here, and nodes that are hosts of their own.

Needs root and Debian's `slurm-wlm` and `munge`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.cluster.hosts import Host
from tests.cluster.hosts import Network
from tests.services.servers import ServerError
from tests.services.servers import free_port

START_SECONDS = 120
COMMAND_SECONDS = 60
"""srun and squeue wait for ever for nodes that are away."""
RAY_FOLDER = Path("/tmp/ray-root")
"""Where `cluster/slurm.sbatch` has Ray's files for this user: each node's own."""
NODE_PORT = 16818
"""The same on every node: each has an address of its own."""
CONFIGURATION = """
ClusterName=kdsearch
SlurmctldHost={controller}({gateway})
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/cgroup
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=bf_interval=5,sched_interval=5
MpiDefault=none
ReturnToService=2
KillWait=10
MinJobAge=600
SlurmdTimeout=30
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class CommandError(RuntimeError):
    """A command of Slurm's that failed, with what it said."""


class SlurmCluster:
    """`nodes` nodes of two CPUs, named n0, n1, …; a context manager starts and removes them."""

    def __init__(self, nodes: int) -> None:
        for program in ("slurmctld", "slurmd", "sbatch", "munged"):
            if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None:
                raise ServerError(f"{program} is missing: apt-get install slurm-wlm munge")
        self.folder = Path(tempfile.mkdtemp(prefix="kds-"))
        self._network = Network()
        self._node_count = nodes
        self._nodes: list[Host] = []
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._network.__enter__()
            self._nodes = [self._network.add(f"n{number}", RAY_FOLDER) for number in range(self._node_count)]
            self._write_configuration()
            self._start_munge()
            self._start(["slurmctld", "-D"], "controller")
            for node in self._nodes:
                self._start(node.command(["slurmd", "-D", "-N", node.name], self.folder), f"node-{node.name}")
            wait_until(self._is_up, START_SECONDS, self.logs)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._network.__exit__()
        for process in reversed(self._processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *words: str, environment: Mapping[str, str] | None = None) -> str:
        """Run one of Slurm's commands; returns what it prints. Raises CommandError where it fails."""
        done = subprocess.run(
            words,
            env={**os.environ, "SLURM_CONF": str(self._configuration), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        if done.returncode:
            raise CommandError(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}")
        return done.stdout

    def job(self, job: str) -> dict[str, str]:
        """The fields of `scontrol show job`."""
        words = self.command("scontrol", "show", "job", job).split()
        return dict(word.partition("=")[::2] for word in words)

    def start_now(self, job: str) -> None:
        """Start a requeued job: Slurm would let it wait for two minutes."""

        def is_started() -> bool:
            if self.job(job)["JobState"] == "PENDING":
                with contextlib.suppress(CommandError):  # it may have started in between
                    self.command("scontrol", "update", f"jobid={job}", "StartTime=now")
            return self.job(job)["JobState"] == "RUNNING"

        wait_until(is_started, START_SECONDS, self.logs)

    def processes(self) -> list[str]:
        """Command lines of what runs on the nodes, but for Slurm's own."""
        lines = [line for node in self._nodes for line in node.processes().values()]
        return [line for line in lines if "slurm" not in line and "sleep infinity" not in line]

    def logs(self) -> str:
        files = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{file.name}:\n{file.read_text(errors='replace')[-2000:]}" for file in files)

    @property
    def _configuration(self) -> Path:
        return self.folder / "slurm.conf"

    def _is_up(self) -> bool:
        with contextlib.suppress(CommandError):  # the controller does not answer yet
            return self.command("sinfo", "-h", "-o", "%T").split() == ["idle"]
        return False

    def _write_configuration(self) -> None:
        nodes = "\n".join(
            f"NodeName={node.name} NodeAddr={node.address} CPUs=2 RealMemory=4000 State=UNKNOWN" for node in self._nodes
        )
        text = CONFIGURATION.format(
            controller=os.uname().nodename,
            gateway=self._network.gateway,
            folder=self.folder,
            controller_port=free_port(),
            node_port=NODE_PORT,
            nodes=nodes,
        )
        self._configuration.write_text(text)
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=autodetect\nConstrainCores=no\n")
        for name in ("state", *(node.name for node in self._nodes)):
            (self.folder / name).mkdir()

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={self.folder}/munge.{ending}" for option, ending in files.items()]
        self.folder.chmod(0o755)
        self._start(["munged", "--foreground", "--force", *options], "munge-output")
        wait_until((self.folder / "munge.socket").exists, START_SECONDS, self.logs)

    def _start(self, command: list[str], name: str) -> None:
        environment = {
            **os.environ,
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
            "SLURM_CONF": str(self._configuration),
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._processes.append(process)


def wait_until(is_so: Callable[[], bool], seconds: float, logs: Callable[[], str]) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise ServerError(f"not within {seconds:.0f} s\n{logs()}")
        time.sleep(0.5)
