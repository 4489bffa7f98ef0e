"""Who can get at a Ray cluster: token authentication, and ports that are open to the network."""

from __future__ import annotations

from collections.abc import Iterator

from kdsearch.doctor.finding import Finding
from kdsearch.doctor.finding import Remark
from kdsearch.doctor.ports import DASHBOARD
from kdsearch.doctor.ports import OpenPort
from kdsearch.doctor.survey import Survey

TOKEN = "start Ray with RAY_AUTH_MODE=token and one RAY_AUTH_TOKEN on all nodes, as the files in cluster/ do"
LOCAL_DASHBOARD = "start the head with --dashboard-host=127.0.0.1, and reach it by a tunnel: ssh -L 8265:127.0.0.1:8265"


def access_finding(survey: Survey) -> Finding:
    reports = [(node.name, node.report) for node in survey.nodes if node.report is not None]
    ports = [(name, port) for name, report in reports for port in report.open_ports]
    remarks = list(_remarks(all(report.token_auth for _, report in reports), ports))
    found = ["token authentication is on"] if reports and all(report.token_auth for _, report in reports) else []
    if ports:
        places = ", ".join(sorted({f"{port} of {name}" for name, port in ports}))
        found.append(f"open to the network: {places}; nodes need the GCS, and nobody else does")
    return Finding.conclude("access", "; ".join(found), remarks)


def _remarks(has_token: bool, ports: list[tuple[str, OpenPort]]) -> Iterator[Remark]:
    if not has_token:
        who = "whoever reaches these ports" if ports else "whoever is on its machines"
        yield Remark.warn(f"token authentication is off, so {who} can run code there", TOKEN)
    for name, port in ports:
        if port.service == DASHBOARD:
            yield Remark.warn(f"the dashboard of {name} is open to the network", LOCAL_DASHBOARD)
