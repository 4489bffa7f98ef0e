"""Who can get at a Ray cluster: token authentication, and ports that are open to the network."""

from __future__ import annotations

from collections.abc import Iterator

from kdsearch.doctor.finding import Finding
from kdsearch.doctor.finding import Remark
from kdsearch.doctor.ports import CLIENT
from kdsearch.doctor.ports import DASHBOARD
from kdsearch.doctor.ports import OpenPort
from kdsearch.doctor.survey import Survey

TOKEN = "start Ray with RAY_AUTH_MODE=token and one RAY_AUTH_TOKEN on all nodes, as the files in cluster/ do"
CLOSE = {
    DASHBOARD: "start the head with --dashboard-host=127.0.0.1, and reach it by a tunnel (ssh -L 8265:127.0.0.1:8265)",
    CLIENT: "kdsearch does not use it: close that port to the network, or give Ray no --ray-client-server-port",
}


def access_finding(survey: Survey) -> Finding:
    with_token = [node.name for node in survey.nodes if node.report is not None and node.report.token_auth]
    without = [node.name for node in survey.nodes if node.report is not None and not node.report.token_auth]
    ports = [(node.name, port) for node in survey.nodes if node.report is not None for port in node.report.open_ports]
    remarks = list(_remarks(without, ports))
    found = "token authentication is on" if with_token and not without else ""
    needed = sorted({f"{port} of {name}" for name, port in ports if port.service not in CLOSE})
    if needed:
        # The other nodes come in by it.
        found = "; ".join([*([found] if found else []), f"open to the network, as nodes need it: {', '.join(needed)}"])
    return Finding.conclude("access", found or "no port of Ray's is open to the network", remarks)


def _remarks(without_token: list[str], ports: list[tuple[str, OpenPort]]) -> Iterator[Remark]:
    if without_token:
        reach = "whoever reaches its ports runs code there" if ports else "whoever is on its machines runs code there"
        yield Remark.warn(f"token authentication is off: {reach}", TOKEN)
    for name, port in ports:
        if port.service in CLOSE:
            yield Remark.warn(f"{port} of node {name} is open to the network", CLOSE[port.service])
