"""A Slurm cluster on this machine: slurmctld here, and nodes with a network, host name and processes of their own.

Needs root and Debian's `slurm-wlm` and `munge`. Nodes share the file system, but for `/dev/shm` and Ray's folder.
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

from tests.services.servers import ServerError
from tests.services.servers import free_port

START_SECONDS = 120
COMMAND_SECONDS = 60
"""srun and squeue wait for ever for nodes that are away."""
NODE_PORT = 16818
"""The same on every node: each has an address of its own."""
NODE = """
hostname "$1"; shift
mkdir -p "$RAY_FOLDER"
mount -t tmpfs tmpfs "$RAY_FOLDER"
mount -t tmpfs -o size=2g tmpfs /dev/shm
"$@" & wait
"""
"""What bash runs as the first process of a node: one that reaps, without which `ray stop` waits for zombies."""
CONFIGURATION = """
ClusterName=kdsearch
SlurmctldHost={controller}({network}.1)
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
        self.ray_folder = Path("/tmp/ray-root")
        mark = os.getpid() % 10_000
        self._bridge, self._network = f"kds{mark}", f"10.{64 + mark % 64}.{mark % 251}"
        self._nodes = [f"n{number}" for number in range(nodes)]
        self._spaces = {node: f"kds{mark}{node}" for node in self._nodes}
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._write_configuration()
            self._start_munge()
            self._make_network()
            self._start(["slurmctld", "-D"], "controller")
            for node in self._nodes:
                self._start_node(node)
            wait_until(self._is_up, START_SECONDS, self.logs)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for process in reversed(self._processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for space in self._spaces.values():
            subprocess.run(["ip", "netns", "del", space], capture_output=True)
        subprocess.run(["ip", "link", "del", self._bridge], capture_output=True)
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
        lines = []
        for space in self._spaces.values():
            for pid in subprocess.run(["ip", "netns", "pids", space], capture_output=True, text=True).stdout.split():
                with contextlib.suppress(OSError):
                    lines.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip())
        return [line for line in lines if line and "slurm" not in line]

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
        addresses = (f"{self._network}.{10 + number}" for number in range(len(self._nodes)))
        nodes = "\n".join(
            f"NodeName={node} NodeAddr={address} CPUs=2 RealMemory=4000 State=UNKNOWN"
            for node, address in zip(self._nodes, addresses, strict=True)
        )
        text = CONFIGURATION.format(
            controller=os.uname().nodename,
            network=self._network,
            folder=self.folder,
            controller_port=free_port(),
            node_port=NODE_PORT,
            nodes=nodes,
        )
        self._configuration.write_text(text)
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=autodetect\nConstrainCores=no\n")
        for name in ("state", *self._nodes):
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

    def _make_network(self) -> None:
        run = subprocess.check_call
        run(["ip", "link", "add", self._bridge, "type", "bridge"])
        run(["ip", "addr", "add", f"{self._network}.1/24", "dev", self._bridge])
        run(["ip", "link", "set", self._bridge, "up"])
        for number, (node, space) in enumerate(self._spaces.items()):
            outer = f"{self._bridge}{node}"
            run(["ip", "netns", "add", space])
            run(["ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", space])
            run(["ip", "link", "set", outer, "master", self._bridge])
            run(["ip", "link", "set", outer, "up"])
            run(["ip", "-n", space, "addr", "add", f"{self._network}.{10 + number}/24", "dev", "eth0"])
            run(["ip", "-n", space, "link", "set", "eth0", "up"])
            run(["ip", "-n", space, "link", "set", "lo", "up"])
            # Leads nowhere, but Ray asks which way out there is, and takes half a minute where there is none.
            run(["ip", "-n", space, "route", "add", "default", "via", f"{self._network}.1"])

    def _start_node(self, node: str) -> None:
        # `ip netns exec` would hide the cgroups, which slurmd needs.
        spaces = ["nsenter", f"--net=/run/netns/{self._spaces[node]}", "unshare", "--uts", "--mount", "--pid", "--ipc"]
        first = ["--fork", "--kill-child", "--mount-proc", "bash", "-c", NODE, "node", node]
        self._start([*spaces, *first, "slurmd", "-D", "-N", node], f"node-{node}")

    def _start(self, command: list[str], name: str) -> None:
        environment = {
            **os.environ,
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
            "SLURM_CONF": str(self._configuration),
            "RAY_FOLDER": str(self.ray_folder),
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
