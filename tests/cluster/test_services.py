"""`cluster/services.sh`: PostgreSQL and MLflow, started, shut to strangers, backed up and restored."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy import create_engine
from sqlalchemy import text

from kdsearch.config.place import VARIABLES
from tests.cluster.files import CLUSTER
from tests.services.servers import HOST
from tests.services.servers import free_port

pytestmark = pytest.mark.services


class Owner:
    """An ordinary user with a home. Root, whom PostgreSQL refuses, becomes one in a user namespace."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ports = {"KDSEARCH_POSTGRES_PORT": str(free_port()), "KDSEARCH_MLFLOW_PORT": str(free_port())}
        self.environment = {
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "KDSEARCH_STORAGE": "s3://sweeps/team",
            **self.ports,
        }

    def run(self, *words: str) -> str:
        identity = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
        command = [*identity, "bash", str(CLUSTER / "services.sh"), *words]
        with (self.home / "output").open("w+") as output:  # no pipe, which the servers would keep open
            done = subprocess.run(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=240
            )
        printed = (self.home / "output").read_text()
        assert done.returncode == 0, f"{printed}\n{self.logs()}"
        return printed

    @property
    def settings(self) -> dict[str, str]:
        """What a driver sees after `. cluster/environment`."""
        words = ["bash", "-c", f". {CLUSTER}/environment && env"]
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"]}
        lines = subprocess.run(words, env=environment, check=True, capture_output=True, text=True).stdout.splitlines()
        return dict(line.partition("=")[::2] for line in lines)

    def logs(self) -> str:
        return "\n".join(log.read_text()[-2000:] for log in (self.home / "kdsearch-services").glob("*.log"))


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    user = Owner(tmp_path_factory.mktemp("home"))
    try:
        user.run("start")
        yield user
    finally:
        user.run("stop")


def test_mlflow_asks_who_is_there(owner: Owner) -> None:
    url = f"{owner.settings['KDSEARCH_MLFLOW']}/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert status_of(url, None) == 401
    assert status_of(url, ("kdsearch", "wrong")) == 401
    known = (owner.settings["MLFLOW_TRACKING_USERNAME"], owner.settings["MLFLOW_TRACKING_PASSWORD"])
    assert status_of(url, known) == 200


def test_the_whole_place_is_set(owner: Owner) -> None:
    """What every command then looks for its sweeps at: tests/cli/test_place.py."""
    assert set(VARIABLES.values()) <= set(owner.settings)


def test_postgres_asks_for_the_password(owner: Owner) -> None:
    ledger = owner.settings["KDSEARCH_LEDGER"]
    with create_engine(ledger).connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    password = ledger.partition("kdsearch:")[2].partition("@")[0]
    with pytest.raises(Exception, match="password authentication failed"):
        create_engine(ledger.replace(password, "wrong")).connect()


def test_both_listen_to_this_machine_alone(owner: Owner) -> None:
    ports = {int(port) for port in owner.ports.values()}
    listening = {(address, port) for address, port in listeners() if port in ports}
    assert listening == {(HOST, port) for port in ports}


def test_passwords_are_for_the_owner_alone(owner: Owner) -> None:
    secret = owner.settings["MLFLOW_TRACKING_PASSWORD"]
    holders = [file for file in owner.home.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()]
    assert holders and all(file.stat().st_mode & 0o077 == 0 for file in holders)
    commands = [Path(f"/proc/{pid}/cmdline") for pid in os.listdir("/proc") if pid.isdigit()]
    ledger = owner.settings["KDSEARCH_LEDGER"].partition("kdsearch:")[2].partition("@")[0]
    for command in commands:
        words = command.read_bytes() if command.exists() else b""
        assert secret.encode() not in words and ledger.encode() not in words


def test_starting_again_keeps_everything(owner: Owner) -> None:
    before = owner.settings
    del owner.environment["KDSEARCH_STORAGE"]  # as cron's @reboot starts it
    owner.run("start")
    assert owner.settings == before


def test_a_backup_brings_back_what_was_there(owner: Owner, tmp_path: Path) -> None:
    with create_engine(owner.settings["KDSEARCH_LEDGER"]).begin() as connection:
        connection.execute(text("CREATE TABLE trials (number int)"))
        connection.execute(text("INSERT INTO trials VALUES (7)"))
    report = owner.home / "kdsearch-services" / "artifacts" / "1" / "a run" / "report.html"
    report.parent.mkdir(parents=True)
    report.write_text("<p>the report</p>")
    owner.run("backup", str(tmp_path))
    assert len(list(tmp_path.glob("*.dump"))) == 3 and not list(tmp_path.glob("*.part"))
    with create_engine(owner.settings["KDSEARCH_LEDGER"]).begin() as connection:
        connection.execute(text("DELETE FROM trials"))
    report.unlink()
    owner.run("restore", str(tmp_path))
    with create_engine(owner.settings["KDSEARCH_LEDGER"]).connect() as connection:
        assert connection.execute(text("SELECT number FROM trials")).scalars().all() == [7]
    assert report.read_text() == "<p>the report</p>"


def status_of(url: str, login: tuple[str, str] | None) -> int:
    return requests.get(url, auth=login, timeout=30).status_code


def listeners() -> set[tuple[str, int]]:
    """Addresses and ports that TCP servers on this machine listen to."""
    found = set()
    for line in (
        Path("/proc/net/tcp").read_text().splitlines()[1:] + Path("/proc/net/tcp6").read_text().splitlines()[1:]
    ):
        address, state = line.split()[1], line.split()[3]
        if state == "0A":
            number, port = address.split(":")
            packed = bytes.fromhex(number)[::-1]
            found.add((str(ipaddress.ip_address(packed)), int(port, 16)))
    return found
