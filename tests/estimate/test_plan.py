"""`kdsearch plan` on real records and real trainings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kdsearch.cli import main
from kdsearch.config.compose import compose_sweep
from kdsearch.search.plan import planned_target

SMALL = ("sample_counts=[20,50]", "trials_per_count=3", "confirm.top_k=1", "confirm.seeds=2", "training.steps=20")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _plan(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["plan", *SMALL, "--json", *words]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_guess_says_that_it_is_one_and_nothing_is_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = _plan(capsys, "--cpus", "4", "--nodes", "3")
    trials = planned_target(compose_sweep(SMALL).config)
    assert found["trials"] == trials and "rough guess" in found["basis"]
    assert found["cpu_hours"] == pytest.approx(
        {key: trials * s / 3600 for key, s in (("low", 0.1), ("middle", 1), ("high", 10))}
    )
    assert [row["nodes"] for row in found["ends"]] == [1, 2, 3]
    assert found["price"] is None and found["ends"][0]["dollars"] is None
    assert not list(folder.iterdir())


def test_a_calibration_trains_here(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = _plan(capsys, "--calibrate", "--price", "3.5")
    assert "one student at n=20 and n=50" in found["basis"]
    assert 0 < found["cpu_hours"]["low"] < found["cpu_hours"]["middle"] < found["cpu_hours"]["high"]
    assert found["ends"][0]["dollars"]["low"] > 0
    assert not list(folder.iterdir())


@pytest.mark.slow
def test_what_is_left_of_a_sweep_that_has_begun(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = _plan(capsys)["trials"]
    assert main(["sweep", *SMALL]) == 0
    capsys.readouterr()
    assert _plan(capsys)["trials"] == 0
    more = _plan(capsys, "trials_per_count=5")
    assert more["trials"] == 4 and f"from {before} finished trials of this sweep" in more["basis"]


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", *SMALL, "--cpus", "2", "--price", "1", "--nodes", "2"]) == 0
    printed = capsys.readouterr().out
    assert "$1.000 for a node and hour (as given); the head node comes on top" in printed
    assert "ends about" in printed and "--calibrate measures" in printed


def test_what_cannot_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--nodes", "0", "--price", "-1", "--cpus", "0"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and all("must be > 0" in line for line in lines)
    assert main(["plan", "cluster=address", "resources.gpus_per_trial=1", "--cpus", "4"]) == 2
    assert "must have room for a trial: 1 CPUs and 1 GPUs" in capsys.readouterr().err
