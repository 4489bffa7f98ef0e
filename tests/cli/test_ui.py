from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from kdsearch.cli import main
from kdsearch.config.compose import compose_sweep
from kdsearch.ledger import open_ledger
from kdsearch.tracking.ui import without_credentials


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:hunter2@host/x", "https://host/x"),
        ("http://host:5000", "http://host:5000"),
        ("http://host/a@b", "http://host/a@b"),
    ],
)
def test_links_hold_no_credentials(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


def test_a_taken_port_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert main(["ui", "--port", str(port)]) == 2
    assert f"--port={port}: is taken" in capsys.readouterr().err


def test_a_server_elsewhere_is_only_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["ui", "--no-browser", "mlflow.tracking_uri=http://me:hunter2@mlflow.example:5000"]) == 0
    assert capsys.readouterr().out == "http://mlflow.example:5000/#/experiments?workflowType=machine_learning\n"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.7", "example.org"])
def test_a_host_that_others_reach_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["ui", "--host", host]) == 2
    assert f"--host={host}: must be 127.0.0.1: MLflow has no password" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_serves_the_sweeps_charts_until_terminated(tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    storage = tmp_path / "kdsearch-data"
    storage.mkdir()
    composed = compose_sweep(["name=first", f"storage={storage}"])
    ledger = open_ledger(composed.config.ledger, create=True)
    uid = ledger.create_sweep("first", composed.stored, target=1).uid
    ledger.close()
    experiment = MlflowClient(composed.config.mlflow.tracking_uri).create_experiment(
        "first", str(tmp_path / "artifacts")
    )
    files = sorted(path.name for path in tmp_path.iterdir())

    command = [sys.executable, "-m", "kdsearch", "ui", "first", "--no-browser", "storage=kdsearch-data"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        match = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/#/experiments/(\d+)/runs\?(.*)", address)
        assert match is not None, address
        base, experiment_id, query = match.groups()
        assert experiment_id == experiment
        assert f"viewStateShareKey=kdsearch-{uid[:8]}-all" in query
        assert "compareRunsMode=CHART" in query
        with urllib.request.urlopen(f"{base}/health", timeout=10) as response:
            assert response.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(base.rpartition(":")[2]))) != 0
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    assert os.listdir(storage).count("ledger.db") == 1
