"""Nodes of a Ray cluster come and go under a sweep.

Its trials hardly advance until what a test waits for has happened, however long that takes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kdsearch.ledger import TrialState
from tests.cluster.held import Hold
from tests.e2e.harness import HELD
from tests.e2e.harness import Workplace
from tests.services.cluster import RayCluster

pytestmark = pytest.mark.services
FEW = (*HELD, "trials_per_count=2", "controls=[labels]", "confirm.top_k=0")
TARGET = 3


class Place:
    """A cluster, and a sweep on it that is held."""

    def __init__(self, cluster: RayCluster, workplace: Workplace, hold: Hold) -> None:
        self.cluster, self._workplace, self._hold = cluster, workplace, hold
        self._driver: subprocess.Popen[str] | None = None

    @contextmanager
    def sweep(self) -> Iterator[None]:
        """Meanwhile it is held; at the end it has run to its own."""
        with self._hold:
            self._driver = driver = self._workplace.start_sweep(*FEW)
            yield
        output, _ = driver.communicate(timeout=120)
        assert driver.returncode == 0, output + self._workplace.logs()

    def wait_for(self, is_so: Callable[[], bool]) -> None:
        def is_so_while_it_runs() -> bool:
            assert self._driver is not None
            assert self._driver.poll() is None, self._driver.communicate()[0] + self._workplace.logs()
            return is_so()

        self._workplace.wait_for(lambda records: is_so_while_it_runs())

    def wait_for_training(self, count: int) -> None:
        self.wait_for(lambda: len(self.cluster.trial_processes()) == count)

    @property
    def losses(self) -> int:
        return sum(record.losses for record in self._workplace.load().records)

    def check(self, **interruptions: int) -> None:
        """All trials are there once, in the ledger and in MLflow, and were interrupted like this."""
        records = self._workplace.load().records
        assert len(records) == TARGET
        assert all(record.state is TrialState.COMPLETE and record.restarts == 0 for record in records)
        status = self._workplace.status()
        assert status["interruptions"] == interruptions
        assert status["mlflow"]["runs"] == TARGET
        assert not any(status["mlflow"][what] for what in ("missing", "duplicate", "open", "status", "unknown"))


@pytest.fixture(autouse=True)
def unset_auth_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is for a user, who may have a token from a cluster of Ray's own."""
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)


@contextmanager
def place(folder: Path, nodes: int) -> Iterator[Place]:
    """The cluster asks for no token, and there is one where the driver runs."""
    hold = Hold(folder / "students")
    (folder / ".ray").mkdir()
    (folder / ".ray" / "auth_token").write_text("0123456789abcdef" * 4)
    with RayCluster(nodes, {**hold.environment, "RAY_AUTH_MODE": "disabled"}) as cluster:
        environment = {**hold.environment, "HOME": str(folder)}
        yield Place(cluster, Workplace(folder, cluster.address, environment=environment), hold)


def test_a_lost_node_is_not_held_against_the_trial_that_ran_there(tmp_path: Path) -> None:
    with place(tmp_path, nodes=2) as here:
        with here.sweep():
            here.wait_for_training(2)
            here.cluster.remove_node()
            here.wait_for(lambda: here.losses == 1)
        here.check(lost=1)


def test_a_node_that_joins_meanwhile_gets_trials(tmp_path: Path) -> None:
    with place(tmp_path, nodes=1) as here:
        with here.sweep():
            here.wait_for_training(1)
            here.cluster.add_node()
            here.wait_for_training(2)
        here.check()


def test_a_node_that_is_drained_is_left_in_good_order(tmp_path: Path) -> None:
    with place(tmp_path, nodes=2) as here:
        with here.sweep():
            here.wait_for_training(2)
            drain = (str(Path(sys.executable).with_name("ray")), "drain-node", "--address", here.cluster.address)
            why = ("--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "spot")
            subprocess.run([*drain, "--node-id", here.cluster.last_node, *why], check=True)
            here.wait_for_training(1)
        here.check()
