"""Commands find the sweeps of the place that a launcher has set in the environment, without being told where it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdsearch.cli import main
from kdsearch.config.compose import compose_sweep
from kdsearch.config.compose import resolve_locations
from kdsearch.errors import InputError
from kdsearch.ledger import open_ledger
from kdsearch.remote.request import resume_request
from kdsearch.remote.request import sweep_request
from kdsearch.sweep import load

LEDGER = "ledger=${oc.env:KDSEARCH_LEDGER}"
MLFLOW = "mlflow.tracking_uri=${oc.env:KDSEARCH_MLFLOW}"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Storage, and a ledger and an MLflow that are elsewhere; the environment names all three."""
    monkeypatch.setenv("KDSEARCH_STORAGE", str(tmp_path / "storage"))
    monkeypatch.setenv("KDSEARCH_LEDGER", f"sqlite:///{tmp_path}/shared.db")
    monkeypatch.setenv("KDSEARCH_MLFLOW", f"sqlite:///{tmp_path}/runs.db")
    return tmp_path


@pytest.fixture
def sweep(place: Path) -> str:
    """A sweep in that ledger, started with nothing said about places."""
    ledger = open_ledger(f"sqlite:///{place}/shared.db", create=True)
    ledger.create_sweep("mine", compose_sweep(["name=mine"]).stored, 6)
    ledger.close()
    return "mine"


def test_what_is_stored_are_references_to_servers_and_the_storage(place: Path) -> None:
    stored = compose_sweep(["name=mine"]).stored
    assert stored["storage"] == str(place / "storage")
    assert stored["ledger"] == "${oc.env:KDSEARCH_LEDGER}"
    assert stored["mlflow"]["tracking_uri"] == "${oc.env:KDSEARCH_MLFLOW}"


def test_an_override_replaces_its_key(place: Path) -> None:
    found = resolve_locations([f"storage={place}/other", "ledger=null"])
    assert (found.storage, found.ledger) == (f"{place}/other", f"sqlite:///{place}/other/ledger.db")
    assert found.mlflow_uri == f"sqlite:///{place}/runs.db"


def test_a_wrong_value_of_the_environment_is_one_line(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDSEARCH_LEDGER", "host:5432")
    with pytest.raises(InputError) as caught:
        compose_sweep([])
    (problem,) = caught.value.problems
    assert problem.key == "ledger" and "must start with one of" in problem.allowed


def test_an_empty_variable_is_none(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDSEARCH_LEDGER", "")
    assert resolve_locations([]).ledger == f"sqlite:///{place}/storage/ledger.db"


@pytest.mark.parametrize("words", [["status", "--json"], ["resume", "--cfg", "job"]])
def test_commands_find_the_sweep(sweep: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, sweep]) == 0
    assert sweep in capsys.readouterr().out


def test_list_and_python_find_it_too(sweep: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert sweep in capsys.readouterr().out
    found = load(sweep)
    assert (found.storage, found.ledger) == (str(place / "storage"), f"sqlite:///{place}/shared.db")


def test_resume_keeps_the_storage_that_the_sweep_has(
    sweep: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A ledger is shared by sweeps with different storages."""
    monkeypatch.setenv("KDSEARCH_STORAGE", str(place / "another"))
    assert main(["resume", sweep, "--cfg", "job"]) == 0
    assert f"storage: {place}/storage" in capsys.readouterr().out


def test_without_servers_the_storage_alone_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on Slurm."""
    monkeypatch.setenv("KDSEARCH_STORAGE", str(tmp_path / "storage"))
    (tmp_path / "storage").mkdir()
    ledger = open_ledger(f"sqlite:///{tmp_path}/storage/ledger.db", create=True)
    ledger.create_sweep("mine", compose_sweep(["name=mine"]).stored, 6)
    ledger.close()
    assert main(["status", "mine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "mine"


def test_a_sweep_that_is_sent_takes_it_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDSEARCH_STORAGE", "s3://bucket/prefix")
    monkeypatch.setenv("KDSEARCH_LEDGER", "postgresql://me:hunter2@host/kdsearch")
    monkeypatch.setenv("KDSEARCH_MLFLOW", "http://host:5000")
    words = sweep_request(["name=other"]).words
    assert words == ("sweep", "storage=s3://bucket/prefix", LEDGER, MLFLOW, "name=other", "cluster=address")


def test_a_resume_that_is_sent_names_the_ledger(sweep: str) -> None:
    request = resume_request(sweep, [], shared_storage=True)
    assert request.words == ("resume", sweep, LEDGER, MLFLOW, "cluster=address")
