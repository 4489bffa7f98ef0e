"""Hosts on this machine: each has a network, a host name, processes and shared memory of its own, on one bridge.

Needs root, iproute2 and util-linux. Hosts share the file system, but for `/dev/shm` and a scratch folder.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

FIRST_PROCESS = """
hostname "$1"
mkdir -p "$2"
mount -t tmpfs tmpfs "$2"
mount -t tmpfs -o size=2g tmpfs /dev/shm
echo ready
sleep infinity & wait
"""
"""What bash runs as a host's first process: one that reaps, without which `ray stop` waits for zombies."""


class Host:
    """A running host. What runs there ends with it."""

    def __init__(self, name: str, address: str, space: str, cable: str, bridge: str, scratch: Path) -> None:
        self.name = name
        self.address = address
        self.scratch = scratch
        """A folder that this host has for itself, in memory."""
        self._space, self._cable, self._bridge = space, cable, bridge
        # `ip netns exec` would hide the cgroups, which slurmd needs.
        spaces = ["nsenter", f"--net=/run/netns/{space}", "unshare", "--uts", "--mount", "--pid", "--ipc"]
        first = ["--fork", "--kill-child", "--mount-proc", "bash", "-c", FIRST_PROCESS, "host", name, str(scratch)]
        self._process = subprocess.Popen(
            [*spaces, *first], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True, text=True
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError(f"host {name} did not start")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        self._first = children.read_text().split()[0]

    def command(self, words: Sequence[str], folder: Path) -> list[str]:
        """What runs `words` there, in `folder`."""
        enter = ["nsenter", f"--target={self._first}", "--net", "--uts", "--mount", "--pid", "--ipc"]
        return [*enter, "sh", "-c", f"cd {shlex.quote(str(folder))} && exec {shlex.join(words)}"]

    def cut(self) -> None:
        """Take it off the network. Nobody is told: packets are lost."""
        _ip("link", "set", self._cable, "nomaster")

    def mend(self) -> None:
        _ip("link", "set", self._cable, "master", self._bridge)

    def processes(self) -> dict[int, str]:
        """What runs there, by process id, with command lines."""
        listed = subprocess.run(["ip", "netns", "pids", self._space], capture_output=True, text=True).stdout
        lines = {}
        for pid in listed.split():
            with contextlib.suppress(OSError):
                lines[int(pid)] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        return {pid: line for pid, line in lines.items() if line}

    def end(self) -> None:
        """Kill it with everything that runs there."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        # The network of a namespace that is gone is taken down some time later.
        subprocess.run(["ip", "link", "del", self._cable], capture_output=True)


class Network:
    """A bridge, at which this machine has `gateway`; a context manager removes it with all its hosts."""

    def __init__(self) -> None:
        mark = os.getpid() % 10_000
        self._bridge, self._prefix = f"kdh{mark}", f"10.{64 + mark % 64}.{mark % 251}"
        self.gateway = f"{self._prefix}.1"
        self._hosts: list[Host] = []
        self._spaces: list[str] = []

    def __enter__(self) -> Self:
        try:
            _ip("link", "add", self._bridge, "type", "bridge")
            _ip("addr", "add", f"{self.gateway}/24", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for host in self._hosts:
            host.end()
        for space in self._spaces:
            subprocess.run(["ip", "netns", "del", space], capture_output=True)
        subprocess.run(["ip", "link", "del", self._bridge], capture_output=True)

    def add(self, name: str, scratch: Path) -> Host:
        """Start a host that keeps `scratch` to itself."""
        number = len(self._spaces)
        space, cable, address = f"{self._bridge}-{name}", f"{self._bridge}v{number}", f"{self._prefix}.{10 + number}"
        self._spaces.append(space)
        _ip("netns", "add", space)
        _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
        _ip("link", "set", cable, "master", self._bridge)
        _ip("link", "set", cable, "up")
        _ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", space, "link", "set", "eth0", "up")
        _ip("-n", space, "link", "set", "lo", "up")
        # Leads nowhere, but Ray asks which way out there is, and takes half a minute where there is none.
        _ip("-n", space, "route", "add", "default", "via", self.gateway)
        host = Host(name, address, space, cable, self._bridge, scratch)
        self._hosts.append(host)
        return host


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
