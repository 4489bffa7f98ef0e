"""What the doctor finds on one machine, without services."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import sys
from collections.abc import Callable
from http.server import HTTPServer
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from threading import Thread

import pytest

from kdsearch.cli import main
from kdsearch.doctor.finding import Status
from kdsearch.doctor.folder import GIGABYTE
from kdsearch.doctor.folder import room_remark
from kdsearch.errors import ExitCode
from kdsearch.ledger import open_ledger
from kdsearch.ledger.tables import SCHEMA_VERSION
from tests.doctor.conftest import CHECKS
from tests.doctor.conftest import Examine
from tests.doctor.conftest import bad
from tests.doctor.conftest import own_code


def test_a_fresh_folder_will_do_and_stays_empty(
    examined: Examine, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    findings = examined()
    assert not bad(findings)
    assert "not there yet and can be created" in findings["ledger"].found
    assert "1047 to train on, 300 to validate, 450 to test, 10 classes" in findings["data"].found
    assert "torch 2" in findings["versions"].found
    assert not list(folder.iterdir()) and not list(temporary.iterdir())
    assert not ray.is_initialized()


def test_one_line_per_check_and_the_exit_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == ExitCode.DONE
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", check] for check in CHECKS]
    assert main(["doctor", "ledger=postgresql://me:hunter2@127.0.0.1:9/x"]) == ExitCode.BAD_INPUT
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CHECKS)
    ledger = next(line for line in lines if line.startswith("BAD"))
    assert "me:***@127.0.0.1:9/x does not answer" in ledger and "→ start the server" in ledger


def test_json_is_json_whatever_a_loader_prints(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = own_code("prints_a_lot", folder)
    assert main(["doctor", "--json", *overrides]) == ExitCode.DONE
    findings = {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings["data"]["ok"] and findings["data"]["status"] == "ok"
    assert findings["data"]["found"].startswith("mine: 70 to train on")


def test_what_a_sweep_would_refuse_is_told_by_the_check_it_concerns(examined: Examine, folder: Path) -> None:
    (folder / "file").write_text("")
    findings = examined("storage=file/below", "dataset=fashion_mnist", "dataset.root=/nowhere", "controls=[nothing]")
    assert bad(findings) == ["config", "ledger", "mlflow", "storage", "data"]
    assert "is not a folder" in findings["storage"].found
    assert "dataset.root=/nowhere: no such folder" in findings["data"].found


def test_a_folder_that_only_looks_writable(examined: Examine) -> None:
    # Nobody can make files there, not even root, to whom every permission says yes.
    findings = examined("storage=/proc/kdsearch", "ledger=sqlite:////proc/ledger.db")
    assert {"storage", "ledger"} <= set(bad(findings))
    assert "/proc" in findings["storage"].found and "storage=" in findings["storage"].found


def test_too_large_a_request(examined: Examine) -> None:
    findings = examined("resources.cpus_per_trial=4096", "resources.gpus_per_trial=8")
    assert bad(findings) == ["ray", "devices"]


def test_a_ledger_that_is_there(examined: Examine, folder: Path) -> None:
    url = _ledger(folder)
    before = _dump(folder / "ledger.db")
    finding = examined(f"ledger={url}")["ledger"]
    assert finding.status is Status.OK and "writable and holds 0 sweeps" in finding.found
    assert _dump(folder / "ledger.db") == before
    assert [file.name for file in folder.iterdir()] == ["ledger.db"]


def test_a_ledger_of_a_newer_version(examined: Examine, folder: Path) -> None:
    url = _ledger(folder)
    _execute(folder / "ledger.db", f"UPDATE kdsearch_meta SET value = '{SCHEMA_VERSION + 1}' WHERE key = 'version'")
    findings = examined(f"ledger={url}")
    assert bad(findings) == ["ledger"]
    assert "newer kdsearch" in findings["ledger"].found and "→ install" in findings["ledger"].found


def test_a_ledger_that_somebody_keeps_locked(examined: Examine, folder: Path) -> None:
    url = _ledger(folder)
    holder = sqlite3.connect(folder / "ledger.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        findings = examined(f"ledger={url}")
    finally:
        holder.close()
    assert bad(findings) == ["ledger"]
    assert "locked" in findings["ledger"].found


@pytest.mark.parametrize("key", ["ledger", "mlflow.tracking_uri"])
def test_a_file_that_is_no_database(examined: Examine, folder: Path, key: str) -> None:
    (folder / "broken.db").write_text("this is no database, and long enough to be told from one")
    findings = examined(f"{key}=sqlite:///broken.db")
    assert bad(findings) == [key.partition(".")[0]]
    assert "is not a SQLite database" in findings[key.partition(".")[0]].found


def test_ledger_and_mlflow_do_not_share_a_database(examined: Examine, folder: Path) -> None:
    _execute(folder / "mlflow.db", "CREATE TABLE alembic_version (version_num VARCHAR(32))")
    _ledger(folder)
    findings = examined("ledger=sqlite:///mlflow.db", "mlflow.tracking_uri=sqlite:///ledger.db")
    assert bad(findings) == ["ledger", "mlflow"]
    assert all("a database each" in findings[check].found for check in ("ledger", "mlflow"))


def _older(revisions: list[str]) -> str:
    return revisions[1]


def _unknown(_revisions: list[str]) -> str:
    return "0123456789ab"


@pytest.mark.parametrize(("revision", "advice"), [(_older, "mlflow db upgrade"), (_unknown, "install the MLflow")])
def test_the_tables_of_another_mlflow(
    examined: Examine, folder: Path, revision: Callable[[list[str]], str], advice: str
) -> None:
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config

    scripts = ScriptDirectory.from_config(_get_alembic_config(""))
    revisions = [script.revision for script in scripts.walk_revisions()]
    _execute(folder / "mlflow.db", "CREATE TABLE alembic_version (version_num VARCHAR(32))")
    _execute(folder / "mlflow.db", f"INSERT INTO alembic_version VALUES ('{revision(revisions)}')")
    findings = examined("mlflow.tracking_uri=sqlite:///mlflow.db")
    assert bad(findings) == ["mlflow"]
    assert advice in findings["mlflow"].found


def test_nobody_listens(examined: Examine) -> None:
    findings = examined(
        "ledger=postgresql://me:hunter2@127.0.0.1:9/x",
        "mlflow.tracking_uri=http://me:hunter2@127.0.0.1:9",
        "cluster.address=127.0.0.1:9",
    )
    assert bad(findings) == ["ledger", "mlflow", "ray"]
    assert "connection refused" in findings["mlflow"].found
    assert findings["data"].status is Status.WARN and "this machine alone" in findings["data"].found


def test_servers_that_never_answer(examined: Examine) -> None:
    with contextlib.ExitStack() as stack:
        # On all interfaces: Ray takes a loopback address for the machine's own.
        servers = [stack.enter_context(socket.create_server(("", 0))) for _ in range(3)]
        ledger, mlflow, ray = (server.getsockname()[1] for server in servers)
        findings = examined(
            f"ledger=postgresql://me:hunter2@127.0.0.1:{ledger}/x",
            f"mlflow.tracking_uri=http://me:hunter2@127.0.0.1:{mlflow}",
            f"cluster.address=127.0.0.1:{ray}",
        )
    assert bad(findings) == ["ledger", "mlflow", "ray"]
    assert all("does not answer" in findings[check].found for check in ("ledger", "mlflow"))
    assert "no answer within" in findings["ray"].found


def test_a_server_of_another_kind(examined: Examine) -> None:
    with HTTPServer(("", 0), SimpleHTTPRequestHandler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        place = f"127.0.0.1:{server.server_port}"
        findings = examined(f"mlflow.tracking_uri=http://{place}", f"cluster.address={place}")
        server.shutdown()
    assert bad(findings) == ["mlflow", "ray"]
    assert "not as MLflow does" in findings["mlflow"].found
    assert "not Ray" in findings["ray"].found


def test_no_credentials_for_s3(examined: Examine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(folder / "none"))
    servers = ["ledger=postgresql://127.0.0.1:9/x", "mlflow.tracking_uri=http://127.0.0.1:9"]
    finding = examined("storage=s3://bucket/prefix", *servers)["storage"]
    assert finding.is_bad and "no credentials" in finding.found and "AWS_ACCESS_KEY_ID" in finding.found


def test_little_room_is_a_warning_and_none_is_bad() -> None:
    assert room_remark("/tmp", 50 * GIGABYTE, "free some") is None
    little, none = room_remark("/tmp", 2 * GIGABYTE, "free some"), room_remark("/tmp", 0, "free some")
    assert little is not None and little.status is Status.WARN
    assert none is not None and none.status is Status.BAD and none.advice == "free some"


def test_ray_is_not_imported_for_one_machine(folder: Path) -> None:
    import subprocess

    program = "import sys; from kdsearch.cli import main; main(['doctor']); assert 'ray' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=folder, capture_output=True, timeout=120)


def _ledger(folder: Path) -> str:
    url = f"sqlite:///{folder}/ledger.db"
    open_ledger(url, create=True).close()
    return url


def _execute(file: Path, statement: str) -> None:
    connection = sqlite3.connect(file)
    with connection:
        connection.execute(statement)
    connection.close()


def _dump(file: Path) -> list[str]:
    connection = sqlite3.connect(file)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()
