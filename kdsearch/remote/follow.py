"""Following a job's log to its end, over connections that break."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.errors import ExitCode
from kdsearch.errors import InputError
from kdsearch.errors import KdsearchError
from kdsearch.errors import Problem
from kdsearch.remote.jobs import Job

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

PATIENCE = 120.0
"""Seconds that the job server may be away while a job is followed."""
PAUSE = 1.0
NOT_INSTALLED = "No module named kdsearch"


class LostError(KdsearchError):
    """The cluster has not answered for a while; the job may well be going on."""

    exit_code = ExitCode.TOO_MANY_FAILURES


def follow(client: JobSubmissionClient, job: Job, write: Callable[[str], None]) -> int:
    """Hand the job's log to `write` as it grows; returns the exit code of its command when that has ended.

    Raises:
        LostError: the cluster was away for longer than `PATIENCE`.
        InputError: kdsearch is not installed there.
    """
    log = _Log(write)
    heard = time.monotonic()
    while True:
        try:
            asyncio.run(_read(client, job, log))
            details = client.get_job_info(job.id)
        except (OSError, RuntimeError, _client_error()) as error:
            if time.monotonic() - heard > PATIENCE:
                raise LostError(f"the cluster has not answered for {PATIENCE:.0f} s: {error}") from error
        else:
            heard = time.monotonic()
            if details.status.is_terminal():
                log.finish(client.get_job_logs(job.id))
                return _exit_code(details)
        time.sleep(PAUSE)


class _Log:
    """Writes each character once, however often the log is read from its beginning."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._written = 0
        self._read = 0

    def begin(self) -> None:
        self._read = 0

    def add(self, text: str) -> None:
        start = max(0, self._written - self._read)
        self._read += len(text)
        if start < len(text):
            self._write(text[start:])
            self._written = self._read

    def finish(self, whole: str) -> None:
        self.begin()
        self.add(whole)


async def _read(client: JobSubmissionClient, job: Job, log: _Log) -> None:
    log.begin()
    async for text in client.tail_job_logs(job.id):
        log.add(text)


def _client_error() -> type[Exception]:
    import aiohttp

    return aiohttp.ClientError


def _exit_code(details: Any) -> int:
    if details.status.value == "SUCCEEDED":
        return ExitCode.DONE
    if details.status.value == "STOPPED":
        return ExitCode.TERMINATED
    message = str(details.message or "")
    if NOT_INSTALLED in message:
        allowed = "kdsearch is not installed for the `python` there; see cluster/README.md"
        raise InputError([Problem("job", details.submission_id, allowed)])
    code = details.driver_exit_code
    if code is None:
        raise KdsearchError(f"{details.submission_id} could not be started: {' '.join(message.split())[-500:]}")
    # A signal's number is negative; shells say 128 more.
    return int(code) if code >= 0 else 128 - int(code)
