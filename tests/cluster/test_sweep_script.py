"""`cluster/sweep.sh`: the sweep's places from the environment, passwords only as references."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.files import CLUSTER


def test_servers_are_references() -> None:
    places = {
        "KDSEARCH_STORAGE": "s3://sweeps/team",
        "KDSEARCH_LEDGER": "postgresql://kdsearch:hidden@127.0.0.1/kdsearch",
        "KDSEARCH_MLFLOW": "http://127.0.0.1:5000",
    }
    config = composed(places, "name=mine", "cluster.address=10.0.0.1:6379")
    assert config["storage"] == "s3://sweeps/team"
    assert config["ledger"] == "${oc.env:KDSEARCH_LEDGER}"
    assert config["mlflow"]["tracking_uri"] == "${oc.env:KDSEARCH_MLFLOW}"
    assert (config["name"], config["cluster"]["address"]) == ("mine", "10.0.0.1:6379"), "what is given last counts"


def test_without_servers_everything_is_in_the_storage(tmp_path: Path) -> None:
    config = composed({"KDSEARCH_STORAGE": str(tmp_path)})
    assert (config["storage"], config["ledger"], config["mlflow"]["tracking_uri"]) == (str(tmp_path), None, None)
    assert config["cluster"]["address"] == "auto"


def test_a_cluster_of_its_own(tmp_path: Path) -> None:
    config = composed({"KDSEARCH_STORAGE": str(tmp_path), "KDSEARCH_RAY": "null"})
    assert config["cluster"]["address"] is None


def composed(places: Mapping[str, str], *overrides: str) -> dict[str, Any]:
    """The config of the sweep that the script would start."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KDSEARCH_")}
    done = subprocess.run(
        [CLUSTER / "sweep.sh", *overrides, "--cfg", "job"],
        env={**environment, **places, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    config: dict[str, Any] = yaml.safe_load(done.stdout)
    return config
