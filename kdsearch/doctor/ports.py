"""Ray's ports that a node offers to its network. Who reaches one without a token runs code there."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LISTENING = "0A"
"""A TCP state in /proc/net/tcp (Linux, include/net/tcp_states.h)."""
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
DASHBOARD, GCS, CLIENT = "dashboard", "GCS", "Ray Client"
DEFAULT_PORTS = {8265: DASHBOARD, 6379: GCS, 10001: CLIENT}


@dataclass(frozen=True)
class OpenPort:
    """Something of Ray's that listens to more than its own machine."""

    service: str
    address: str
    port: int

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.service} ({address}:{self.port})"


def open_ports(services: Mapping[int, str]) -> tuple[OpenPort, ...]:
    """Those of `services` (names by port) that listen here on an address other than the loopback's."""
    found = {(address, port) for table in TABLES if table.exists() for address, port in _listening(table.read_text())}
    return tuple(
        OpenPort(services[port], address, port)
        for address, port in sorted(found, key=lambda place: (place[1], place[0]))
        if port in services and not _is_loopback(address)
    )


def _listening(table: str) -> Iterator[tuple[str, int]]:
    for line in table.splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        if state == LISTENING:
            address, _, port = local.partition(":")
            yield _address(address), int(port, 16)


def _address(text: str) -> str:
    """From the kernel's words of 32 bits, each in the machine's byte order."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    found = ipaddress.ip_address(packed)
    return str(getattr(found, "ipv4_mapped", None) or found)


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback
