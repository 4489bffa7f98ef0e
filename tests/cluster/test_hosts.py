"""A sweep over real hosts: they are lost, cut off, come back, and join."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from pathlib import Path

import pytest

from kdsearch.aws.spot import ENDPOINT
from kdsearch.ledger import TrialState
from kdsearch.tracking.verify import KINDS
from tests.cluster.hosts import Network
from tests.cluster.ray_hosts import RayHosts
from tests.e2e.harness import HELD_TARGET as TARGET

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]
NOTICE_SECONDS = 15
RAY_START = "bin/ray start"
CUT_SECONDS = 60
"""As long as Ray's own patience is with a node that does not answer."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RayHosts]:
    with Network() as network, RayHosts(network, tmp_path) as hosts:
        yield hosts


def test_hosts_are_killed_cut_off_and_added(cluster: RayHosts) -> None:
    def lost() -> int:
        return sum(record.losses for record in cluster.records())

    for name in ("h1", "h2"):
        cluster.join(name)
    with cluster.hold:
        driver = cluster.start_sweep()
        cluster.wait_until(lambda: cluster.is_training("h1") and cluster.is_training("h2"))

        (raylet,) = (pid for pid, line in cluster.hosts["h1"].processes().items() if "/raylet " in line)
        os.kill(raylet, signal.SIGKILL)
        killed = cluster.wait_until(lambda: lost() == 1)

        cluster.join("h3")
        cluster.wait_until(lambda: cluster.is_training("h3"))

        cluster.wait_until(lambda: cluster.is_training("h2"))
        cut_off = time.monotonic()
        cluster.hosts["h2"].cut()
        unanswered = cluster.wait_until(lambda: lost() == 2)
        time.sleep(max(0.0, CUT_SECONDS - (time.monotonic() - cut_off)))
        assert cluster.is_training("h2"), "or there would be nobody to come back"
        cluster.hosts["h2"].mend()
    ended = cluster.wait_until(lambda: not cluster.has_workers("h2"))
    print(
        f"seconds until a killed node was noticed: {killed:.1f}; one that was cut off: {unanswered:.1f}; "
        f"until its workers had ended, once it was back: {ended:.1f}"
    )
    cluster.wait_until(lambda: driver.poll() is not None)
    assert driver.returncode == 0, cluster.logs()

    sweep = cluster.load()
    assert len(sweep.records) == len({record.key for record in sweep.records}) == TARGET
    assert all(record.state is TrialState.COMPLETE and record.restarts == 0 for record in sweep.records)
    assert lost() == 2
    assert cluster.agreement() == {"runs": TARGET, **dict.fromkeys(KINDS, 0)}
    assert "h3" in cluster.hold.hosts
    assert not [file for file in cluster.storage.glob("sweeps/digits/checkpoints/**/*") if file.is_file()]
    assert max(killed, unanswered) <= NOTICE_SECONDS


def test_hosts_that_are_about_to_be_taken_away_are_left_in_good_order(cluster: RayHosts) -> None:
    for name in ("h1", "h2"):
        cluster.join(name)
    with cluster.hold:
        driver = cluster.start_sweep()
        cluster.wait_until(lambda: cluster.is_training("h1") and cluster.is_training("h2"))

        notice = cluster.folder / "notice"
        cluster.run_on("h1", sys.executable, "-m", "tests.aws.metadata", "8080", str(notice))
        endpoint = f"{ENDPOINT}=http://127.0.0.1:8080"
        watcher = cluster.run_on("h1", "env", endpoint, sys.executable, "-m", "kdsearch.aws.spot")
        then = datetime.now(UTC) + timedelta(minutes=2)
        notice.write_text(json.dumps({"action": "terminate", "time": f"{then:%Y-%m-%dT%H:%M:%SZ}"}))
        noticed = cluster.wait_until(lambda: not cluster.is_training("h1"))
        assert watcher.wait(30) == 0, cluster.logs()
        (checkpoint,) = cluster.storage.glob("sweeps/digits/checkpoints/*/attempt-00001/sending-00001/step-*.pt")

        cluster.join("h3")
        cluster.wait_until(lambda: cluster.is_training("h3"))
        (ray,) = (pid for pid, line in cluster.hosts["h2"].processes().items() if RAY_START in line)
        os.kill(ray, signal.SIGTERM)
        terminated = cluster.wait_until(lambda: not cluster.is_training("h2"))
        assert not cluster.is_training("h1"), "no trial starts where Ray drains the node"
    cluster.hosts["h1"].end()
    cluster.hosts["h2"].end()
    print(f"seconds until a host was left after AWS's notice: {noticed:.1f}; after SIGTERM: {terminated:.1f}")
    cluster.wait_until(lambda: driver.poll() is not None)
    assert driver.returncode == 0, cluster.logs()
    sweep = cluster.load()
    assert all(record.state is TrialState.COMPLETE for record in sweep.records) and len(sweep.records) == TARGET
    assert not any(record.restarts or record.losses for record in sweep.records)
