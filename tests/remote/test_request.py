"""What is sent to a cluster, and what is refused before anything is."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from kdsearch.config.compose import compose_sweep
from kdsearch.errors import InputError
from kdsearch.ledger import open_ledger
from kdsearch.remote.request import resume_request
from kdsearch.remote.request import sweep_request

SHARED = (
    "storage=s3://bucket/prefix",
    "ledger=${oc.env:KD_TEST_LEDGER}",
    "mlflow.tracking_uri=http://${oc.env:KD_TEST_USER}:${oc.env:KD_TEST_PASSWORD}@host:5000",
)


def _refused(*overrides: str, shared_storage: bool = False) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        sweep_request(overrides, shared_storage=shared_storage)
    assert "hunter2" not in str(caught.value)
    return {problem.key: problem.allowed for problem in caught.value.problems}


def test_the_same_overrides_with_references_to_the_environment_there() -> None:
    request = sweep_request([*SHARED, "sample_counts=[20,50]"])
    assert request.sweep == "digits" and request.targets == ()
    assert request.words == ("sweep", *SHARED, "sample_counts=[20,50]", "cluster=address")
    assert shlex.split(request.entrypoint) == ["python", "-m", "kdsearch", *request.words]
    assert not any(name.startswith("KD_TEST") for name in os.environ)


def test_a_value_that_is_known_here_is_checked_but_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KD_TEST_LEDGER", "postgresql://me:hunter2@host/kdsearch")
    assert "hunter2" not in sweep_request(SHARED).entrypoint
    monkeypatch.setenv("KD_TEST_LEDGER", "host:5432")
    assert "must start with one of" in _refused(*SHARED)["ledger"]


def test_everything_that_is_wrong_at_once() -> None:
    problems = _refused(
        "ledger=postgresql://me:hunter2@host/kdsearch",
        "dataset=huggingface",
        "dataset.arguments.token=hunter2",
        "dataset.root=images",
        "teacher.weights=teacher.pt",
    )
    assert set(problems) >= {"ledger", "dataset.arguments.token", "dataset.root", "teacher.weights", "storage"}
    assert "${oc.env:NAME}" in problems["ledger"] and "--shared-storage" in problems["storage"]


def test_own_ray_and_databases_on_one_machine() -> None:
    problems = _refused("storage=s3://bucket/prefix", "ledger=sqlite:////shared/x.db", *SHARED[2:], "cluster=own")
    assert "must join the cluster" in problems["cluster"] and "must name a server" in problems["ledger"]
    assert sweep_request([*SHARED, "cluster=aws"]).words[-1] == "cluster=aws"


def test_a_folder_that_all_nodes_mount() -> None:
    assert "absolute path on the nodes" in _refused("storage=here", shared_storage=True)["storage"]
    # It need not be there, or be writable, on this machine.
    words = sweep_request(["storage=/proc/kdsearch"], shared_storage=True).words
    assert words == ("sweep", "storage=/proc/kdsearch", "cluster=address")


def test_models_are_looked_at_here_and_data_there(tmp_path: Path) -> None:
    there = sweep_request([*SHARED, "dataset=imagefolder", "dataset.root=/only/there", "name=x", "student=resnet20"])
    assert there.sweep == "x"
    assert "cannot be imported" in _refused(*SHARED, "student._target_=nowhere.network")["student._target_"]


def test_resume_finds_the_sweep_in_the_shared_ledger(tmp_path: Path) -> None:
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db", create=True)
    ledger.create_sweep("mine", compose_sweep(["name=mine", f"storage={tmp_path}"]).stored, 10)
    ledger.close()
    request = resume_request("mine", [f"storage={tmp_path}", "trials_per_count=30"], shared_storage=True)
    assert request.sweep == "mine"
    assert request.words == ("resume", "mine", f"storage={tmp_path}", "trials_per_count=30", "cluster=address")
    with pytest.raises(InputError, match="no such sweep in this ledger; there are mine"):
        resume_request("other", [f"storage={tmp_path}"], shared_storage=True)
