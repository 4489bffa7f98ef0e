"""The Ray Jobs of a sweep: one for each time it was sent, named after the sweep and counted."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kdsearch import __version__
from kdsearch.errors import DriverAtWorkError
from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.remote.request import Request

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

STOP_SECONDS = 60
"""How long a driver that is told to stop has for its checkpoints; Ray's own default is 3."""
COLUMNS = 120
"""The least width of what it prints; there is no terminal there."""
TRIES = 5
COMMAND_FILE = "kdsearch-command.txt"
"""Sent with the code, so that whoever finds the folder knows what it is."""
_ID = re.compile(r"kdsearch-(?P<sweep>.+)-(?P<number>\d+)")


@dataclass(frozen=True)
class Job:
    """One attempt that was sent."""

    sweep: str
    number: int
    is_over: bool

    @property
    def id(self) -> str:
        return f"kdsearch-{self.sweep}-{self.number}"


def jobs(client: JobSubmissionClient) -> list[Job]:
    """Those that were sent by `kdsearch submit`, oldest first."""
    found = []
    for details in client.list_jobs():
        match = _ID.fullmatch(details.submission_id or "")
        if match is not None:
            found.append(Job(match["sweep"], int(match["number"]), details.status.is_terminal()))
    return sorted(found, key=lambda job: (job.sweep, job.number))


def latest(client: JobSubmissionClient, name: str) -> Job:
    """The last job of the sweep `name`, or the one whose id it is.

    Raises:
        InputError: there is none.
    """
    there = jobs(client)
    found = [job for job in there if name in (job.sweep, job.id)]
    if not found:
        names = ", ".join(dict.fromkeys(job.sweep for job in there)) or "none"
        raise InputError([Problem("NAME", name, f"was not sent to this cluster; sent were: {names}")])
    return found[-1]


def send(client: JobSubmissionClient, request: Request, files: Mapping[str, Path]) -> Job:
    """Start the next attempt of the sweep as a job.

    Raises:
        DriverAtWorkError: one is at work.
    """
    with tempfile.TemporaryDirectory(prefix="kdsearch-submit-") as name:
        folder = Path(name) / "code"
        _fill(folder, request, files)
        for _ in range(TRIES):
            earlier = [job for job in jobs(client) if job.sweep == request.sweep]
            _refuse_second(earlier)
            job = Job(request.sweep, earlier[-1].number + 1 if earlier else 1, is_over=False)
            try:
                _submit(client, request, job, folder)
                return job
            except RuntimeError as error:
                # Somebody else has taken the number in between.
                if "already" not in str(error):
                    raise
    raise DriverAtWorkError(f"{request.sweep} is being sent by others at the same time")


def stop(client: JobSubmissionClient, job: Job) -> bool:
    """Have its driver end as by SIGTERM, with checkpoints; waits for that. Whether it was at work."""
    was_at_work = client.stop_job(job.id)
    deadline = time.monotonic() + STOP_SECONDS + 30
    while was_at_work and time.monotonic() < deadline and not client.get_job_status(job.id).is_terminal():
        time.sleep(0.5)
    return was_at_work


def _submit(client: JobSubmissionClient, request: Request, job: Job, folder: Path) -> None:
    client.submit_job(
        entrypoint=request.entrypoint,
        submission_id=job.id,
        runtime_env={"working_dir": str(folder), "env_vars": _environment()},
        metadata={"kdsearch.sweep": job.sweep, "kdsearch.version": __version__},
    )


def _environment() -> dict[str, str]:
    """What the job's driver sees besides the cluster's own environment; no secret is among it."""
    columns = max(COLUMNS, shutil.get_terminal_size().columns)
    return {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS), "COLUMNS": str(columns)}


def _fill(folder: Path, request: Request, files: Mapping[str, Path]) -> None:
    folder.mkdir()
    (folder / COMMAND_FILE).write_text(request.entrypoint + "\n")
    for place, file in files.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def _refuse_second(earlier: list[Job]) -> None:
    for job in earlier:
        if not job.is_over:
            advice = f"follow it with `kdsearch submit --follow {job.sweep}`, or stop it with `--stop {job.sweep}`"
            raise DriverAtWorkError(f"{job.id} is at work on {job.sweep}; {advice}")
