"""A second host on this machine: a network namespace of its own, joined to this one by a cable (veth).

Needs root, and iproute2.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import Self


class SecondHost:
    """Reaches this machine at `gateway` alone; its own loopback is another one."""

    gateway = "10.79.0.1"

    def __init__(self) -> None:
        self._name = f"kdsubmit{os.getpid()}"
        self._cable = f"kds{os.getpid()}"

    @property
    def prefix(self) -> tuple[str, ...]:
        """Before a command that is to run there."""
        return ("ip", "netns", "exec", self._name)

    def __enter__(self) -> Self:
        there = f"{self._cable}p"
        _ip("netns", "add", self._name)
        try:
            _ip("link", "add", self._cable, "type", "veth", "peer", "name", there, "netns", self._name)
            _ip("address", "add", f"{self.gateway}/24", "dev", self._cable)
            _ip("link", "set", self._cable, "up")
            for words in (("address", "add", "10.79.0.2/24", "dev", there), ("link", "set", there, "up")):
                _ip("-n", self._name, *words)
            _ip("-n", self._name, "link", "set", "lo", "up")
            _ip("-n", self._name, "route", "add", "default", "via", self.gateway)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("netns", "delete", self._name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
