"""Sweeps with PostgreSQL for the ledger, S3 for the storage and an MLflow server, on a cluster of two nodes."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import TARGET
from tests.e2e.harness import done
from tests.services.stack import Stack

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

AGREED = {"runs": TARGET, "missing": 0, "duplicate": 0, "open": 0, "status": 0, "unknown": 0}


def is_one_to_one(status: dict[str, Any]) -> bool:
    return status["state"] == "complete" and status["trials"]["COMPLETE"] == TARGET and status["mlflow"] == AGREED


def uids(mlflow: Any, experiment: str) -> list[str]:
    """The sweep that each run of an experiment belongs to, as MLflow's server says."""
    found = mlflow.get_experiment_by_name(experiment)
    runs = mlflow.search_runs([found.experiment_id], max_results=1000)
    return [run.data.tags["kdsearch.uid"] for run in runs]


@pytest.fixture
def mlflow_client(shared_stack: Stack) -> Any:
    from kdsearch.tracking.runs import MlflowClient

    return MlflowClient(shared_stack.mlflow.uri)


def test_a_shared_sweep_can_be_read_while_it_runs(shared_stack: Stack, mlflow_client: Any, tmp_path: Path) -> None:
    workplace = shared_stack.workplace(tmp_path, "reader")
    driver = workplace.start_sweep("name=read", "training.steps=400")
    workplace.wait_for(done(1), "read")
    reads = 0
    while driver.poll() is None:
        status = workplace.status("read")
        assert status["target"] == TARGET
        assert len(uids(mlflow_client, "read")) <= TARGET + 1
        reads += 1
    output, _ = driver.communicate()
    assert driver.returncode == 0, f"{output}\n{workplace.logs()}"
    assert reads > 0
    assert is_one_to_one(workplace.status("read"))
    assert len(uids(mlflow_client, "read")) == TARGET + 1


def test_two_sweeps_of_one_name_leave_each_other_alone(shared_stack: Stack, mlflow_client: Any, tmp_path: Path) -> None:
    """Two users, two ledgers, one MLflow server; one of them is killed and goes on while the other's runs are there."""
    first, second = workplaces = [shared_stack.workplace(tmp_path, user) for user in ("ann", "bob")]
    drivers = [workplace.start_sweep("name=same") for workplace in workplaces]
    first.wait_for(done(3), "same")
    drivers[0].kill()
    for driver, workplace in zip(drivers, workplaces, strict=True):
        output, _ = driver.communicate()
        assert driver.returncode == (0 if workplace is second else -9), f"{output}\n{workplace.logs()}"
    first.sweep("name=same")
    statuses = [workplace.status("same") for workplace in workplaces]
    assert all(is_one_to_one(status) for status in statuses)
    found = uids(mlflow_client, "same")
    assert {uid: found.count(uid) for uid in found} == {status["uid"]: TARGET + 1 for status in statuses}


def test_no_secret_is_written_anywhere(shared_stack: Stack, tmp_path: Path) -> None:
    """Passwords are in the environment alone, also after a driver was killed in the middle."""
    login = secrets.token_hex(12)
    workplace = shared_stack.workplace(tmp_path, "secretive", mlflow_login=f"ann:{login}")
    driver = workplace.start_sweep("name=secretive")
    workplace.wait_for(done(3), "secretive")
    command_lines = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids(shared_stack, driver.pid))
    driver.kill()
    printed, _ = driver.communicate()
    printed += workplace.sweep("name=secretive").stdout
    assert is_one_to_one(workplace.status("secretive"))

    places = {
        "storage": stored(shared_stack, "secretive"),
        "ledger": shared_stack.postgres.dump("secretive").encode(),
        "MLflow's database": shared_stack.postgres.dump("mlflow").encode(),
        "MLflow's artifacts": contents(shared_stack.mlflow.folder / "artifacts"),
        "logs": b"".join(file.read_bytes() for file in workplace.log_files),
        "Ray's session files": contents(shared_stack.cluster.session_folder),
        "other temporary files": contents(shared_stack.temporary),
        "the terminal": printed.encode(),
        "command lines": command_lines,
    }
    assert all(places.values()), "every place was looked at"
    assert b"secretive" in places["ledger"] and b"secretive" in places["MLflow's database"]
    hits = {
        (place, name)
        for place, content in places.items()
        for name, secret in {
            "PostgreSQL's password": shared_stack.postgres.password,
            "S3's secret key": shared_stack.s3.secret,
            "MLflow's password": login,
        }.items()
        if secret.encode() in content
    }
    assert not hits


def pids(stack: Stack, driver: int) -> list[int]:
    return [driver, *stack.cluster.sweep_processes()]


def stored(stack: Stack, prefix: str) -> bytes:
    """Everything below a prefix of the bucket, and the names."""
    client, keys = stack.s3.client(), stack.s3.keys(prefix)
    bodies = (client.get_object(Bucket=stack.s3.bucket, Key=key)["Body"].read() for key in keys)
    return b"".join((*(key.encode() for key in keys), *bodies))


def contents(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
