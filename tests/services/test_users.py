"""A group's MLflow server, with names and passwords: everybody is shown every run that they may read."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from kdsearch.tracking.pages import ASKED
from kdsearch.tracking.pages import SEARCH
from tests.services.servers import MlflowServer

pytestmark = pytest.mark.services

ROOT = Path(__file__).parents[2]
ADMIN = ("kdsearch", "the administrator's password")
OWNER = ("mira", "the password of mira")
OTHER = ("noor", "the password of noor")
RUNS = 300
"""More than MLflow's page asks for."""


class ServerWithUsers(MlflowServer):
    """As `cluster/services.sh` starts it, with two processes; but nobody may read what is not theirs."""

    name = "mlflow-auth"
    app = "kdsearch-auth"

    def _command(self) -> list[str]:
        command = super()._command()
        command[command.index("--workers") + 1] = "2"
        return [*command, "--app-name", self.app]

    def _environment(self) -> Mapping[str, str]:
        settings = self.folder / "auth.ini"
        settings.write_text(
            "[mlflow]\ndefault_permission = NO_PERMISSIONS\n"
            f"database_uri = sqlite:///{self.folder}/auth.db\nadmin_username = {ADMIN[0]}\n"
        )
        return {
            **super()._environment(),
            "MLFLOW_AUTH_CONFIG_PATH": str(settings),
            "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[1],
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "of the sessions",
            "PYTHONPATH": f"{self._entry_points()}:{ROOT}",
        }

    def _entry_points(self) -> Path:
        """Those of pyproject.toml as it is; an editable installation's are those of when it was made."""
        apps = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["mlflow.app"]
        folder = self.folder / "installed"
        (folder / "apps-1.dist-info").mkdir(parents=True, exist_ok=True)
        (folder / "apps-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: apps\nVersion: 1\n")
        lines = ["[mlflow.app]", *(f"{name} = {value}" for name, value in apps.items())]
        (folder / "apps-1.dist-info" / "entry_points.txt").write_text("\n".join(lines))
        return folder


@pytest.fixture(scope="module")
def server() -> Iterator[ServerWithUsers]:
    with ServerWithUsers() as started:
        for name, password in (OWNER, OTHER):
            ask(started, ADMIN, "/api/2.0/mlflow/users/create", username=name, password=password)
        yield started


@pytest.fixture(scope="module")
def experiment(server: ServerWithUsers) -> str:
    """Of the owner, with RUNS runs."""
    from mlflow import MlflowClient

    created = ask(server, OWNER, "/api/2.0/mlflow/experiments/create", name="hers")["experiment_id"]
    # Past the server, which takes most of a second to check a password.
    store = MlflowClient(server.backend)
    for place in range(RUNS):
        store.create_run(created, run_name=f"run {place}")
    return str(created)


@pytest.mark.parametrize("who", [OWNER, ADMIN])
def test_a_page_shows_every_run_that_its_user_may_read(
    server: ServerWithUsers, experiment: str, who: tuple[str, str]
) -> None:
    assert len(shown(server, who, experiment)) == RUNS


def test_a_page_shows_nothing_that_its_user_may_not_read(server: ServerWithUsers, experiment: str) -> None:
    assert shown(server, OTHER, experiment) == []


def test_a_page_of_nobody_is_refused(server: ServerWithUsers, experiment: str) -> None:
    for login in (None, (OWNER[0], "wrong")):
        question: Any = {"experiment_ids": [experiment], "max_results": ASKED}
        assert requests.post(server.uri + SEARCH, json=question, auth=login, timeout=60).status_code == 401


def shown(server: ServerWithUsers, who: tuple[str, str], experiment: str) -> list[Any]:
    """The runs of a page's first question."""
    runs: list[Any] = ask(server, who, SEARCH, experiment_ids=[experiment], max_results=ASKED).get("runs", [])
    return runs


def ask(server: ServerWithUsers, who: tuple[str, str], path: str, **question: Any) -> Any:
    answer = requests.post(server.uri + path, json=question, auth=who, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()
