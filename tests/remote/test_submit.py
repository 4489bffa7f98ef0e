"""Sweeps sent to a real Ray head with token authentication."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path

import pytest

from kdsearch.ledger.records import SweepState
from kdsearch.sweep import Sweep
from kdsearch.sweep import load
from tests.cluster.hosts import Host
from tests.cluster.hosts import Network
from tests.e2e.harness import SMALL
from tests.e2e.harness import TARGET
from tests.remote.head import STOPPED
from tests.remote.head import TOKEN
from tests.remote.head import Head

LONG = ("training.steps=3000", "trials_per_count=100")
MODULE = """
from helper import width
from torch import nn


def network(input_shape, class_count):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, class_count))
"""


@dataclass(frozen=True)
class Laptop:
    """A folder with code of its user's; what it knows of the cluster is an address and a token."""

    folder: Path
    head: Head
    host: Host | None = None
    """Where it is not this machine."""
    is_apart: bool = False
    """Whether it sees none of this machine's processes, as a container does not."""

    @property
    def storage(self) -> Path:
        return self.head.folder / "storage"

    @property
    def sweep_words(self) -> tuple[str, ...]:
        return (*SMALL, f"storage={self.storage}", "ledger=${oc.env:KD_TEST_LEDGER}", "--shared-storage")

    def start(self, *words: str, token: str | None = TOKEN) -> subprocess.Popen[str]:
        clean = {name: value for name, value in os.environ.items() if name not in STOPPED}
        # Ray would let this win over --address.
        environment = clean | {"HOME": str(self.folder), "COLUMNS": "160", "RAY_ADDRESS": "192.0.2.1:6379"}
        if token is not None:
            environment["RAY_AUTH_TOKEN"] = token
        apart = ("unshare", "--fork", "--pid", "--mount-proc") if self.is_apart else ()
        command = [*apart, sys.executable, "-m", "kdsearch", *words]
        return subprocess.Popen(
            command if self.host is None else self.host.command(command, self.folder),
            cwd=self.folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *words: str, expect: int = 0, token: str | None = TOKEN) -> str:
        """What it prints; on stderr where it is to fail before it has sent anything."""
        process = self.start(*words, token=token)
        out, err = process.communicate(timeout=280)
        assert process.returncode == expect, f"exit code {process.returncode}\n{out}\n{err}\n{self.head.log()}"
        return out + err

    def submit(self, *words: str, expect: int = 0, token: str | None = TOKEN) -> str:
        return self.run("submit", "--address", self.head.address, *words, expect=expect, token=token)

    def load(self, name: str) -> Sweep:
        return load(name, ledger=f"sqlite:///{self.head.folder}/ledger.db")

    def wait_for_trials(self, name: str) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if any(record.state.is_finished for record in self.load(name).records):
                    return
            except Exception:  # no ledger yet, or one that is being made
                pass
            time.sleep(0.3)
        raise AssertionError(f"no trial in time\n{self.head.log()}")


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    # Ray's sockets must have short paths.
    folder = tmp_path_factory.mktemp("h")
    with Head(folder, {"KD_TEST_LEDGER": f"sqlite:///{folder}/ledger.db"}) as started:
        yield started


@pytest.fixture(scope="module")
def laptop(head: Head, tmp_path_factory: pytest.TempPathFactory) -> Laptop:
    folder = tmp_path_factory.mktemp("laptop")
    (folder / "mine.py").write_text(MODULE)
    (folder / "helper.py").write_text("width = 8\n")
    return Laptop(folder, head)


@pytest.mark.services
def test_a_sweep_with_code_of_the_users_runs_to_its_end(laptop: Laptop) -> None:
    printed = laptop.submit(*laptop.sweep_words, "name=own", "student._target_=mine.network")
    assert "as kdsearch-own-1 with 2 files of yours" in printed
    assert printed.count("searching (0 of") == 1 and "kdsearch resume own" in printed
    assert TOKEN not in printed
    sweep = laptop.load("own")
    assert sweep.state is SweepState.COMPLETE
    assert sum(record.state.is_finished for record in sweep.records) == TARGET
    again = laptop.submit("--follow", "own")
    assert "searching (0 of" in again
    # From the laptop, by the shared ledger alone.
    places = (f"storage={laptop.storage}", f"ledger=sqlite:///{laptop.head.folder}/ledger.db")
    assert f"{TARGET} of {TARGET} trials done" in laptop.run("status", "own", *places)
    laptop.run("report", "own", *places)
    assert "as kdsearch-own-2" in laptop.submit("--resume", "own", *places, "--shared-storage", "confirm.seeds=3")
    assert len(laptop.load("own").records) > TARGET


@pytest.mark.services
def test_wrong_and_missing_tokens(laptop: Laptop) -> None:
    wrong = laptop.submit(*laptop.sweep_words, token="f" * 64, expect=2)
    assert "it refuses the token" in wrong and "f" * 64 not in wrong
    missing = laptop.submit("--follow", "own", token=None, expect=2)
    assert "it asks for a token" in missing
    for printed in (wrong, missing):
        assert len(printed.splitlines()) == 1 and printed.startswith("kdsearch: error: --address=")


@pytest.mark.services
def test_wrong_and_missing_tokens_of_a_driver_that_joins(laptop: Laptop) -> None:
    words = ("sweep", *SMALL, "storage=joined", f"cluster.address={laptop.head.gcs_address}")
    assert "it refuses the token" in laptop.run(*words, token="f" * 64, expect=2)
    assert "it asks for a token" in laptop.run(*words, token=None, expect=2)
    assert not (laptop.folder / "joined").exists()
    found = laptop.run("doctor", *words[1:])
    assert "token authentication is on" in found and "GCS (" in found and "dashboard" not in found
    assert TOKEN not in found


@pytest.mark.services
def test_a_machine_that_is_no_node_is_told_so_before_anything_is_written(laptop: Laptop) -> None:
    outside = replace(laptop, is_apart=True)
    where = ("storage=outside", f"cluster.address={laptop.head.gcs_address}")
    for command in (("sweep", *SMALL), ("doctor",)):
        printed = outside.run(*command, *where, expect=2)
        assert "this machine is none of its nodes; run this on one, or send it there with `kdsearch submit`" in printed
    assert not (laptop.folder / "outside").exists()


@pytest.mark.services
def test_a_token_in_a_file(laptop: Laptop) -> None:
    file = laptop.folder / ".ray" / "auth_token"
    file.parent.mkdir()
    file.write_text(TOKEN)
    try:
        assert "was not sent to this cluster" in laptop.submit("--follow", "nothing", token=None, expect=2)
    finally:
        file.unlink()


@pytest.mark.services
def test_nothing_answers(laptop: Laptop) -> None:
    printed = laptop.run("submit", *laptop.sweep_words, "--address", "http://127.0.0.1:9", expect=2)
    assert "no Ray job server answers there; reach it by a tunnel" in printed and len(printed.splitlines()) == 1


@pytest.mark.services
def test_the_exit_code_is_the_sweeps(laptop: Laptop) -> None:
    printed = laptop.submit(
        *laptop.sweep_words, "name=unset", "mlflow.tracking_uri=${oc.env:KD_TEST_NOWHERE}", expect=2
    )
    assert "KD_TEST_NOWHERE" in printed


@pytest.mark.services
def test_detach_follow_interrupt_and_stop(laptop: Laptop) -> None:
    detached = laptop.submit(*laptop.sweep_words, *LONG, "name=long", "--detach")
    assert "kdsearch submit --follow long --address" in detached
    second = laptop.submit(*laptop.sweep_words, *LONG, "name=long", "--detach", expect=4)
    assert "kdsearch-long-1 is at work on long" in second
    laptop.wait_for_trials("long")
    following = laptop.start("submit", "--address", laptop.head.address, "--follow", "long")
    assert following.stdout is not None
    for line in following.stdout:
        if "searching" in line:
            break
    following.send_signal(signal.SIGINT)
    rest, _ = following.communicate(timeout=120)
    assert following.returncode == 130
    assert "detached; the sweep goes on" in rest and "--stop long" in rest
    assert laptop.load("long").state is SweepState.RUNNING
    assert "kdsearch-long-1 has stopped" in laptop.submit("--stop", "long")
    sweep = laptop.load("long")
    assert sweep.state is SweepState.INTERRUPTED
    assert not any(record.state.value == "RUNNING" for record in sweep.records)
    assert "interrupted by SIGTERM" in laptop.submit("--follow", "long", expect=143)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_from_a_second_host(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("t")
    environment = {"KD_TEST_LEDGER": f"sqlite:///{folder}/ledger.db"}
    with Network() as network, Head(folder, environment, network.gateway) as head:
        laptop = Laptop(tmp_path, head, network.add("laptop", Path("/tmp/kds")))
        (tmp_path / "mine.py").write_text(MODULE)
        (tmp_path / "helper.py").write_text("width = 8\n")
        assert "it refuses the token" in laptop.submit(*laptop.sweep_words, token="f" * 64, expect=2)
        assert "it asks for a token" in laptop.submit(*laptop.sweep_words, token=None, expect=2)
        printed = laptop.submit(*laptop.sweep_words, "student._target_=mine.network")
        assert f"the token goes to {network.gateway} unencrypted" in printed and "ssh -N -L 8265" in printed
        assert laptop.load("digits").state is SweepState.COMPLETE
        joining = f"cluster.address={head.gcs_address}"
        assert "this machine is none of its nodes" in laptop.run("doctor", joining, expect=2)
        found = Laptop(tmp_path, head).run("doctor", joining)
        assert "the dashboard of" in found and "--dashboard-host=127.0.0.1" in found
