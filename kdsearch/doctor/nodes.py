"""What a survey of the nodes means for a sweep."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from kdsearch.config.locations import is_s3
from kdsearch.config.schema import SweepConfig
from kdsearch.doctor.finding import Finding
from kdsearch.doctor.finding import Remark
from kdsearch.doctor.folder import free_bytes
from kdsearch.doctor.folder import gigabytes
from kdsearch.doctor.folder import room_remark
from kdsearch.doctor.probe import NodeReport
from kdsearch.doctor.survey import Survey

T = TypeVar("T")

NOTABLE_SKEW, GREAT_SKEW = 2.0, 60.0
"""Seconds. Leases do not compare clocks; times that are shown, MLflow's charts and S3's signatures do."""
SYNCHRONISE = "synchronise its clock (chrony, NTP)"
SAME_VERSIONS = "install the same everywhere, pinned as in constraints.txt"


def ray_finding(config: SweepConfig, survey: Survey) -> Finding:
    from importlib.metadata import version

    nodes, asked = survey.nodes, config.resources
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    where = "can be started on this machine" if survey.is_own else f"at {config.cluster.address}: {_nodes(len(nodes))}"
    remarks = [
        Remark.bad(f"node {node.name} cannot be asked: {node.problem}", _mending(node.problem))
        for node in nodes
        if node.problem
    ]
    most = max((node.cpus for node in nodes), default=0)
    if asked.cpus_per_trial > most:
        found = f"resources.cpus_per_trial={asked.cpus_per_trial:g}, and no node has more than {most:g}"
        remarks.append(_lacking(config, found, "lower it, or add larger nodes"))
    elif survey.free.get("CPU", 0) < asked.cpus_per_trial:
        remarks.append(Remark.warn("no CPU is free at the moment", "the sweep will wait for whoever uses them"))
    return Finding.conclude("ray", f"Ray {version('ray')} {where}, {cpus:g} CPUs, {gpus:g} GPUs", remarks)


def data_finding(config: SweepConfig, survey: Survey) -> Finding:
    reports = {node.name: node.data for node in survey.nodes if node.data is not None}
    remarks = _by_node({name: report.remark for name, report in reports.items()}, survey)
    remarks += _unlike(
        {name: report.fingerprint[:12] for name, report in reports.items() if report.fingerprint},
        f"{config.dataset.name} has another content on some nodes",
        "copy one and the same data set to all of them",
    )
    found = next((report.found for report in reports.values() if report.found), "")
    return Finding.conclude("data", f"{found}{_everywhere(reports, survey)}", remarks)


def models_finding(config: SweepConfig, survey: Survey) -> Finding:
    reports = _reports(survey)
    remarks = _by_node({name: report.code_remark for name, report in reports.items()}, survey)
    names = f"student {config.student.target or config.student.name}"
    names += f", teacher {config.teacher.model.target or config.teacher.model.name}"
    return Finding.conclude("models", names + _everywhere(reports, survey), remarks)


def versions_finding(survey: Survey, here: Mapping[str, str]) -> Finding:
    remarks = []
    reports = _reports(survey)
    for package, expected in here.items():
        others = {name: found for name, r in reports.items() if not _is_same(found := r.versions[package], expected)}
        for found, names in _grouped(others).items():
            text = f"{package} is {expected} here and {found} on {_list(names)}"
            is_patch = package == "python" and found.split(".")[:2] == expected.split(".")[:2]
            remarks.append((Remark.warn if is_patch else Remark.bad)(text, SAME_VERSIONS))
    versions = ", ".join(f"{package} {number}" for package, number in here.items())
    return Finding.conclude("versions", versions + _everywhere(reports, survey), remarks)


def devices_finding(config: SweepConfig, survey: Survey) -> Finding:
    reports, share = _reports(survey), config.resources.gpus_per_trial
    devices = [device for report in reports.values() for device in report.devices]
    remarks = _by_node({name: report.device_remark for name, report in reports.items()}, survey)
    for node in survey.nodes:
        if node.gpus and node.report is not None and not node.report.devices and not node.report.device_remark:
            found = f"node {node.name} offers Ray {node.gpus:g} GPUs, and torch sees none"
            remarks.append(Remark.bad(found, "install a torch with CUDA there, and a driver that it can use"))
    remarks += _share_remarks(config, survey, devices)
    found = ", ".join(f"{count} × {device}" for device, count in Counter(devices).items()) or "no CUDA device"
    return Finding.conclude("devices", f"{found}; resources.gpus_per_trial={share:g}", remarks)


def clocks_finding(survey: Survey) -> Finding:
    skews = {node.name: node.skew for node in survey.nodes if node.skew is not None}
    if not skews:
        return Finding.conclude("clocks", "one machine, one clock" if survey.is_own else "no node's was read")
    remarks = []
    for name, skew in skews.items():
        # What the measurement may be wrong by is not held against the node.
        certain = abs(skew.ahead) - skew.error
        found = f"node {name} is {abs(skew.ahead):.1f} s {'ahead' if skew.ahead > 0 else 'behind'}"
        if certain >= GREAT_SKEW:
            remarks.append(Remark.bad(found, SYNCHRONISE))
        elif certain >= NOTABLE_SKEW:
            remarks.append(Remark.warn(found, SYNCHRONISE))
    largest = max(abs(skew.ahead) + skew.error for skew in skews.values())
    return Finding.conclude("clocks", f"{_nodes(len(skews))} within {max(largest, 0.001):.3f} s of this one", remarks)


def disk_finding(config: SweepConfig, survey: Survey) -> Finding:
    rooms: dict[str, tuple[float, str]] = {}
    if not is_s3(config.storage):
        place = f"storage {config.storage}"
        rooms[place] = (free_bytes(Path(config.storage)), "free some, or choose another disk with storage=")
    advice = "free some, or set TMPDIR to another disk before Ray is started there"
    temporary = tempfile.gettempdir()
    rooms[temporary] = (free_bytes(Path(temporary)), advice)
    if not survey.is_own:
        for name, report in _reports(survey).items():
            rooms[f"{report.temporary_folder} of {name}"] = (report.temporary_free, advice)
    remarks = [remark for where, room in rooms.items() if (remark := room_remark(where, *room)) is not None]
    least = sorted(rooms.items(), key=lambda item: item[1][0])
    if len(least) > 3:
        found = f"at least {gigabytes(least[0][1][0])} free in {len(least)} places, least in {least[0][0]}"
    else:
        found = ", ".join(f"{gigabytes(free)} free in {where}" for where, (free, _) in least)
    return Finding.conclude("disk", found, remarks)


def storage_finding(driver: Finding, survey: Survey) -> Finding:
    """Can the nodes use the storage that the driver, as it found, can use?"""
    reports = _reports(survey)
    remarks = _by_node({name: report.storage_remark for name, report in reports.items()}, survey)
    if driver.is_bad or remarks:
        return driver.but(remarks)
    return Finding(driver.check, driver.status, driver.found + _everywhere(reports, survey))


def _lacking(config: SweepConfig, found: str, advice: str) -> Remark:
    """No node has what is asked; where an autoscaler adds nodes, one with it may come."""
    if config.cluster.grows:
        return Remark.warn(f"{found} yet", "the autoscaler must add one that has")
    return Remark.bad(found, advice)


def _mending(problem: str) -> str:
    if "No module named" in problem or "cannot import" in problem:
        return "install this kdsearch there, with what it needs"
    return "what does `ray status` say of it?"


def _share_remarks(config: SweepConfig, survey: Survey, devices: list[str]) -> Iterator[Remark]:
    share = config.resources.gpus_per_trial
    most = max((node.gpus for node in survey.nodes), default=0)
    wants_cuda = config.training.device.startswith("cuda")
    if share > 1 and share != int(share):
        yield Remark.bad(f"resources.gpus_per_trial={share:g}", "must be a whole number, or below 1")
    elif share > most and not survey.is_own:
        found = f"resources.gpus_per_trial={share:g}, and no node has more than {most:g}"
        yield _lacking(config, found, "lower it, add nodes with GPUs, or start Ray there with --num-gpus")
    elif share == 0 and wants_cuda:
        found = f"training.device={config.training.device} without GPUs from Ray: trials are not kept apart"
        yield Remark.warn(found, "set resources.gpus_per_trial (0.25: four trials on a GPU)")
    elif share == 0 and devices:
        yield Remark.warn("trials will leave them idle", "resources.gpus_per_trial=0.25 trains four trials on each")
    if share > 0 and config.training.device == "cpu":
        yield Remark.warn("training.device=cpu leaves the GPUs idle that trials claim", "training.device=auto")


def _reports(survey: Survey) -> dict[str, NodeReport]:
    return {node.name: node.report for node in survey.nodes if node.report is not None}


def _by_node(remarks: Mapping[str, Remark | None], survey: Survey) -> list[Remark]:
    """Each remark once, with the nodes it is about."""
    made = {name: remark for name, remark in remarks.items() if remark is not None}
    if survey.is_own:
        return list(made.values())
    return [
        Remark(remark.status, f"on {_list(names, len(remarks))}: {remark.found}", remark.advice)
        for remark, names in _grouped(made).items()
    ]


def _unlike(values: Mapping[str, str], found: str, advice: str) -> list[Remark]:
    groups = _grouped(values)
    if len(groups) < 2:
        return []
    differences = ", ".join(f"{value} on {_list(names)}" for value, names in groups.items())
    return [Remark.bad(f"{found} ({differences})", advice)]


def _everywhere(reports: Mapping[str, object], survey: Survey) -> str:
    return "" if survey.is_own or len(reports) < len(survey.nodes) else f"; the same on {_nodes(len(reports))}"


def _grouped(values: Mapping[str, T]) -> dict[T, list[str]]:
    """Names by value."""
    groups: dict[T, list[str]] = {}
    for name, value in values.items():
        groups.setdefault(value, []).append(name)
    return groups


def _list(names: list[str], out_of: int = 0) -> str:
    if 1 < len(names) == out_of:
        return f"all {out_of} nodes"
    shown = ", ".join(names[:3])
    return f"{'node ' if len(names) == 1 else 'nodes '}{shown}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"


def _nodes(count: int) -> str:
    return f"{count} node{'' if count == 1 else 's'}"


def _is_same(one: str, other: str) -> bool:
    """Builds of one version (`2.9.0+cpu`, `2.9.0+cu126`) are the same."""
    return one.partition("+")[0] == other.partition("+")[0]
