"""`cluster/slurm.sbatch` on a real Slurm of three nodes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdsearch.errors import InputError
from kdsearch.ledger import TrialState
from tests.cluster.files import CLUSTER
from tests.cluster.files import REPOSITORY
from tests.cluster.held import Hold
from tests.cluster.slurm import CommandError
from tests.cluster.slurm import SlurmCluster
from tests.cluster.slurm import wait_until
from tests.e2e.harness import SMALL
from tests.e2e.harness import Workplace

SBATCH = CLUSTER / "slurm.sbatch"
SIZE = ("--nodes=2", "--cpus-per-task=2", "--time=20")
TARGET = 3 + 3 + (1 + 3) * 2
SLOW = (
    *(word for word in SMALL if not word.startswith("student.")),
    "sample_counts=[50]",
    "student=custom",
    "student._target_=tests.cluster.held.held",
    "training.steps=300",
    "training.evaluations=20",
    "resources.trials_per_worker=1",
    "resources.cpus_per_trial=2",  # one at a time on each node, which is no machine of its own
)


@pytest.fixture(scope="module")
def slurm() -> Iterator[SlurmCluster]:
    with SlurmCluster(nodes=3) as cluster:
        yield cluster


class Account:
    """A user's folder, and what `sbatch` is called with from there."""

    def __init__(self, slurm: SlurmCluster, folder: Path) -> None:
        self.slurm, self.folder, self.hosts = slurm, folder, folder / "hosts"
        self.workplace = Workplace(folder, "auto")
        self.hold = Hold(self.hosts)
        self.job = ""
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
            "HOME": str(folder),
            "USER": "root",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "KDSEARCH_STORAGE": str(folder / "kdsearch-data"),
            "KDSEARCH_TEST_HOSTS": str(self.hosts),
            "KDSEARCH_LEDGER": f"sqlite:///{folder}/kdsearch-data/ledger.db",
            "MLFLOW_TRACKING_PASSWORD": "for-the-driver-alone",
        }

    def submit(self, *overrides: str) -> str:
        """The job's number."""
        place = (f"--chdir={self.folder}", f"--output={self.folder}/job.log")
        words = ("sbatch", "--parsable", *SIZE, *place, str(SBATCH), *overrides)
        self.job = self.slurm.command(*words, environment=self._environment).strip()
        return self.job

    def wait_for(self, job: str, field: str, value: str, seconds: float = 120) -> None:
        def is_so() -> bool:
            found = self.slurm.job(job)
            assert found[field] == value or found["JobState"] not in ("FAILED", "TIMEOUT"), self.logs()
            return found[field] == value

        wait_until(is_so, seconds, self.logs)

    def wait_for_trials(self, count: int, seconds: float = 240) -> None:
        """Until so many have finished."""

        def are_done() -> bool:
            with contextlib.suppress(InputError):  # the sweep is not there yet
                return sum(record.state.is_finished for record in self.workplace.load().records) >= count
            return False

        wait_until(are_done, seconds, self.logs)

    def logs(self) -> str:
        log = self.folder / "job.log"
        return (log.read_text(errors="replace") if log.exists() else "no job.log") + "\n" + self.slurm.logs()


@pytest.fixture
def account(slurm: SlurmCluster, tmp_path: Path) -> Iterator[Account]:
    user = Account(slurm, tmp_path)
    yield user
    with contextlib.suppress(CommandError):  # it is over, as it should be
        slurm.command("scancel", user.job)


@pytest.mark.services
def test_slurm_accepts_the_file(slurm: SlurmCluster) -> None:
    assert "to start at" in slurm.command("sbatch", "--test-only", *SIZE, str(SBATCH))


@pytest.mark.services
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("--requeue", "--re-queue"),
        ("--signal=B:USR1@60", "--signal=B:USR@60"),
        ("--open-mode=append", "--open-mode=end"),
        ("--ntasks-per-node=1", "--ntasks-pernode=1"),
        ("--time=04:00:00", "--time=4h"),
        ("#!/bin/bash", "bash"),
    ],
)
def test_slurm_refuses_a_typo(slurm: SlurmCluster, tmp_path: Path, right: str, wrong: str) -> None:
    text = SBATCH.read_text()
    assert right in text
    (tmp_path / "slurm.sbatch").write_text(text.replace(right, wrong, 1))
    size = [word for word in SIZE if not word.startswith("--time")]
    with pytest.raises(CommandError):
        slurm.command("sbatch", "--test-only", *size, str(tmp_path / "slurm.sbatch"))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_sweep_goes_on_by_itself_after_the_time_limit(account: Account) -> None:
    slurm, workplace = account.slurm, account.workplace
    job = account.submit(*SLOW)
    account.wait_for(job, "JobState", "RUNNING")
    account.wait_for_trials(2)
    with account.hold:
        limit = minutes(slurm.job(job)["RunTime"]) + 2
        slurm.command("scontrol", "update", f"jobid={job}", f"TimeLimit={limit}")
        account.wait_for(job, "Restarts", "1", seconds=240)
    slurm.command("scontrol", "update", f"jobid={job}", "TimeLimit=20")
    interrupted = workplace.load()
    assert interrupted.state == "interrupted", account.logs()
    assert 2 <= sum(record.state.is_finished for record in interrupted.records) < TARGET
    slurm.start_now(job)
    account.wait_for(job, "JobState", "COMPLETED", seconds=400)

    records = workplace.load().records
    assert len(records) == TARGET and len({record.key for record in records}) == TARGET
    assert all(record.state is TrialState.COMPLETE for record in records)
    status = workplace.status()
    assert (status["mlflow"]["runs"], status["mlflow"]["duplicate"], status["mlflow"]["open"]) == (TARGET, 0, 0)
    assert [attempt["outcome"] for attempt in status["attempts"]] == ["interrupted by SIGTERM", "complete"]
    assert any(record.attempts == (1, 2) for record in records), "running trials went on in their rows"
    seen = [host.read_text() for host in account.hosts.iterdir()]
    assert seen == ["", ""], "trials ran on both nodes, and none saw the ledger's address or MLflow's password"
    token = account.folder / ".ray" / "auth_token"
    assert token.stat().st_mode & 0o077 == 0 and token.read_text() not in account.logs()
    assert slurm.processes() == []


def minutes(duration: str) -> int:
    """Of Slurm's HH:MM:SS, rounded down."""
    hours, rest, _ = duration.split(":")
    return int(hours) * 60 + int(rest)


@pytest.mark.long
def test_scancel_cancels(account: Account) -> None:
    job = account.submit(*SLOW)
    account.wait_for(job, "JobState", "RUNNING")
    account.wait_for_trials(2)
    account.slurm.command("scancel", job)
    account.wait_for(job, "JobState", "CANCELLED")
    assert account.slurm.job(job)["Restarts"] == "0"
    wait_until(lambda: account.slurm.processes() == [], 60, account.logs)
