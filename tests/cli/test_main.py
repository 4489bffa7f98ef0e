from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kdsearch import __version__
from kdsearch.cli import COMMANDS
from kdsearch.cli import main
from kdsearch.cli.commands.completion import complete
from kdsearch.config.compose import apply_overrides
from kdsearch.config.compose import compose_sweep
from kdsearch.errors import ExitCode
from kdsearch.ledger import open_ledger
from kdsearch.ledger.records import SweepState

HEAVY = ("torch", "ray", "mlflow", "optuna", "sklearn", "pandas", "hydra", "pydantic", "rich")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stored_sweep(folder: Path) -> str:
    """The name of a sweep that is in the ledger of the default storage, without trials."""
    composed = compose_sweep(["name=first", "trials_per_count=7"])
    (folder / "kdsearch-data").mkdir()
    ledger = open_ledger(composed.config.ledger, create=True)
    ledger.create_sweep("first", composed.stored, target=42)
    ledger.close()
    return "first"


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "kdsearch", *arguments], capture_output=True, text=True, timeout=120)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom kdsearch.cli import main\nassert main(['--help']) == 0\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr
    assert all(f"  {command}" in done.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"usage: kdsearch {command} " in capsys.readouterr().out


def test_sweep_help_lists_groups_and_keys(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["sweep", "--help"])
    shown = capsys.readouterr().out
    assert "dataset=      cifar10|cifar100|custom|digits|fashion_mnist|" in shown
    assert "search_space= default|objectives|temperature|training" in shown
    for line in (
        "trials_per_count: 20  # searched trials",
        "    top_k: 3  # best recipes",
        "    steps: null  # budget",
    ):
        assert line in shown
    assert shown.count("sample_counts:") == 1
    assert "defaults:" not in shown


def test_python_dash_m_and_version() -> None:
    done = _run("--version")
    assert (done.returncode, done.stdout) == (0, f"kdsearch {__version__}\n")


def test_bad_input_from_a_real_process_leaves_nothing_behind(folder: Path) -> None:
    done = _run("sweep", "sampler=tpo", "seed=x")
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 2
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["swep"], "swep: must be one of sweep, resume, "),
        (["sweep", "--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["sweep", "--cfg", "all"], "invalid choice: 'all'"),
        (["status"], "NAME=: one sweep must be named"),
        (["status", "a", "b"], "NAME=a b: one sweep must be named"),
        (["status", "a"], "no ledger is there"),
        (["list", "seed=3"], "seed=3: must be one of storage, ledger, mlflow.tracking_uri"),
        (["list"], "no ledger is there"),
        (["resume", "a"], "no ledger is there"),
        (["resume", "a", "name=b"], "name=b: a sweep keeps its name"),
        (["ui", "a"], "no ledger is there"),
        (["ui"], "nothing is tracked there"),
        (["report", "a"], "no ledger is there"),
        (["export", "a", "--output", "out"], "no ledger is there"),
        (["embedding", "a"], "no ledger is there"),
        (["stop", "a"], "no ledger is there"),
        (["ui", "--port", "0"], "--port=0: must be 1 to 65535"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(arguments)
    except SystemExit as leaving:
        code = int(str(leaving.code))
    assert code == ExitCode.BAD_INPUT
    error = capfd.readouterr().err
    assert error.startswith("kdsearch: error: ")
    assert message in error
    assert list(folder.iterdir()) == []


def test_cfg_job_prints_what_would_be_stored(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import yaml

    monkeypatch.setenv("PG_PASSWORD", "hunter2")
    overrides = ["name=first", "ledger='postgresql://me:${oc.env:PG_PASSWORD}@host/db'"]
    assert main(["sweep", "--cfg", "job", *overrides]) == 0
    printed = capsys.readouterr().out
    assert "hunter2" not in printed
    assert yaml.safe_load(printed) == compose_sweep(overrides).stored
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", [c for c in COMMANDS if c != "completion"])
def test_every_command_prints_the_configuration_that_it_would_use(
    command: str, stored_sweep: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import yaml

    monkeypatch.setenv("PG_PASSWORD", "hunter2")
    tracking = "mlflow.tracking_uri='http://me:${oc.env:PG_PASSWORD}@host:5000'"
    words = {
        "export": ["first", "--output", "there"],
        "submit": ["name=first", "--shared-storage", f"storage={folder}/kdsearch-data"],
        "distill": ["name=first", "objective=kl", "temperature=3"],
        "list": [],
        **dict.fromkeys(("sweep", "plan", "teacher", "doctor"), ["name=first"]),
    }.get(command, ["first"])
    before = sorted(folder.rglob("*"))
    assert main([command, *words, tracking, "--cfg", "job"]) == 0
    printed = capsys.readouterr().out
    assert "hunter2" not in printed
    config = yaml.safe_load(printed)
    assert config["storage"] == str(folder / "kdsearch-data")
    assert config["mlflow"]["tracking_uri"] == "http://me:${oc.env:PG_PASSWORD}@host:5000"
    assert command == "list" or (config["name"], "sample_counts" in config) == ("first", True)
    assert command != "distill" or config["recipe"]["temperature"] == 3
    assert sorted(folder.rglob("*")) == before


def test_options_may_stand_between_overrides(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "name=first", "--cfg", "job", "seed=5"]) == 0
    printed = capsys.readouterr().out
    assert "name: first\n" in printed
    assert "seed: 5\n" in printed


def test_dry_run_counts_trials_and_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = ["sample_counts=[20,50]", "trials_per_count=7", "confirm.top_k=2", "confirm.seeds=3"]
    assert main(["sweep", "--dry-run", *overrides]) == 0
    printed = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if "│" in line]
    # Confirmed are the best 2 and the 3 controls, each over 3 seeds.
    assert rows == [["20", "3", "7", "15", "25"], ["50", "3", "7", "15", "25"], ["all", "6", "14", "30", "50"]]
    assert "a rough guess" in printed
    assert list(folder.iterdir()) == []


def test_list_status_stop_and_resume_find_the_sweep(
    stored_sweep: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert (row["name"], row["target"], row["complete"]) == ("first", 42, 0)
    assert main(["list"]) == 0
    assert "first" in capsys.readouterr().out
    assert main(["status", "first"]) == 0
    assert "0 of 42 trials" in capsys.readouterr().out
    assert main(["stop", "first"]) == 0
    assert "first is not running" in capsys.readouterr().out
    assert main(["resume", "first", "--cfg", "job", "trials_per_count=9"]) == 0
    printed = capsys.readouterr().out
    assert "trials_per_count: 9\n" in printed
    assert main(["status", "fist"]) == ExitCode.BAD_INPUT
    assert "NAME=fist: no such sweep in this ledger; there are first; did you mean first?" in capsys.readouterr().err


def test_resume_names_all_problems(stored_sweep: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", stored_sweep, "sampler=tpo", "dataset=digits", "sample_counts=[9]"]) == ExitCode.BAD_INPUT
    keys = [line.split(": ")[2].partition("=")[0] for line in capsys.readouterr().err.splitlines()]
    assert sorted(keys) == ["dataset", "sample_counts", "sampler"]


def test_resume_follows_a_storage_that_was_moved(
    stored_sweep: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "kdsearch-data").rename(folder / "moved")
    assert main(["resume", stored_sweep, "storage=moved", "--cfg", "job"]) == 0
    assert f"storage: {folder}/moved\n" in capsys.readouterr().out


def test_stop_asks_a_running_sweep(stored_sweep: str, capsys: pytest.CaptureFixture[str]) -> None:
    from kdsearch.ledger import Lease

    ledger = open_ledger(apply_overrides(compose_sweep(["name=first"]).stored, []).config.ledger)
    lease = Lease.acquire(ledger, stored_sweep)
    assert main(["stop", stored_sweep]) == 0
    assert "kdsearch resume first" in capsys.readouterr().out
    lease.release(SweepState.STOPPED, "stop requested")
    ledger.close()


def test_status_json_has_the_keys_that_scripts_rely_on(stored_sweep: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", stored_sweep, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"name", "uid", "state", "target", "trials", "mlflow", "best"} <= set(document)
    assert set(document["trials"]) == {"COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING"}


def test_verify_fails_where_ledger_and_mlflow_disagree(
    stored_sweep: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """MLflow knows of a trial that the ledger does not have."""
    from kdsearch.tracking.runs import MlflowClient

    assert main(["status", stored_sweep, "--verify"]) == 0
    uid = json.loads(_printed(["status", stored_sweep, "--json"], capsys))["uid"]
    client = MlflowClient(f"sqlite:///{folder}/kdsearch-data/mlflow.db")
    experiment = client.create_experiment("first", artifact_location=str(folder / "artifacts"))
    tags = {"kdsearch.uid": uid, "kdsearch.trial": "first/n=20#0", "kdsearch.kind": "search"}
    client.create_run(experiment, tags=tags)
    capsys.readouterr()
    assert main(["status", stored_sweep, "--verify"]) == ExitCode.DISAGREEMENT
    assert "unknown" in capsys.readouterr().out
    assert main(["status", stored_sweep, "--verify", "--json"]) == 0


def _printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(words) == 0
    return capsys.readouterr().out


def test_status_says_when_mlflow_cannot_be_asked(stored_sweep: str, capsys: pytest.CaptureFixture[str]) -> None:
    away = "mlflow.tracking_uri=http://me:hunter2@127.0.0.1:9"
    assert main(["status", stored_sweep, "--json", away]) == 0
    mlflow = json.loads(capsys.readouterr().out)["mlflow"]
    assert {mlflow[count] for count in ("runs", "missing", "duplicate", "open")} == {None}
    assert "cannot be asked" in mlflow["reason"] and "hunter2" not in mlflow["reason"]
    assert main(["status", stored_sweep, "--verify", away]) == ExitCode.BAD_INPUT
    error = capsys.readouterr().err
    assert "cannot be asked" in error
    assert "hunter2" not in error


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("kdsearch sw", ["sweep "]),
        ("kdsearch sweep dataset=c", ["dataset=cifar10", "dataset=cifar100", "dataset=custom"]),
        ("kdsearch sweep dataset=digits stud", ["student.", "student=", "students."]),
        ("kdsearch sweep training.learn", ["training.learning_rate="]),
        ("kdsearch sweep sample", ["sample_counts=", "sampler="]),
        ("kdsearch sweep sampler=t", ["sampler=tpe"]),
        ("kdsearch sweep --dr", ["--dry-run"]),
        ("kdsearch status first --", ["--cfg", "--help", "--json", "--verify"]),
        ("kdsearch status first st", ["storage="]),
        ("kdsearch nothing x", []),
    ],
)
def test_completion(line: str, expected: list[str]) -> None:
    assert complete(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("kdsearch sw", ["sweep "]),
        ("kdsearch sweep sampler=q", ["qmc"]),
        ("kdsearch sweep da", ["dataset.", "dataset="]),
    ],
)
def test_completion_in_bash(line: str, expected: list[str], folder: Path) -> None:
    executable = folder / "bin" / "kdsearch"
    executable.parent.mkdir()
    executable.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kdsearch "$@"\n')
    executable.chmod(0o755)
    script = (
        'eval "$(kdsearch completion bash)"\n'
        f"COMP_LINE='{line}' COMP_POINT={len(line)} COMP_WORDS=(kdsearch)\n"
        "_kdsearch\n"
        "printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    environment = os.environ | {"PATH": f"{executable.parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == expected, done.stderr


READERS = (
    ["status", "a"],
    ["report", "a"],
    ["list"],
    ["stop", "a"],
    ["ui", "a"],
    ["export", "a", "--output", "out"],
    ["embedding", "a"],
    ["resume", "a"],
)


@pytest.mark.parametrize("content", ["nothing", "another program's tables"])
@pytest.mark.parametrize("arguments", READERS, ids=lambda arguments: arguments[0])
def test_who_reads_makes_no_tables(
    arguments: list[str], content: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    database = folder / "kdsearch-data" / "ledger.db"
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as connection:
        if content != "nothing":
            connection.execute("CREATE TABLE theirs (x)")
        connection.commit()
    before = database.read_bytes()
    assert main(arguments) == ExitCode.BAD_INPUT
    assert "this database holds no kdsearch ledger" in capfd.readouterr().err
    assert database.read_bytes() == before
    assert [file for file in folder.rglob("*") if file.is_file()] == [database]
