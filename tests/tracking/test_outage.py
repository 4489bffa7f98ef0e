"""The tracking server goes away and comes back: nothing is lost, nothing doubled, one warning each way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdsearch.ledger.records import SweepState
from kdsearch.ledger.records import TrialState
from kdsearch.tracking import Tracker
from kdsearch.tracking import verify
from kdsearch.tracking.backlog import Backlog
from kdsearch.tracking.findings import Findings
from kdsearch.tracking.verify import TrackingUnavailable
from tests.factories import make_record
from tests.factories import make_series
from tests.factories import make_sweep
from tests.services.servers import MlflowServer


@pytest.fixture
def server() -> Iterator[MlflowServer]:
    with MlflowServer() as started:
        yield started


@pytest.mark.slow
def test_a_killed_server_is_waited_out(server: MlflowServer) -> None:
    sweep, warnings = make_sweep(), list[str]()
    records = [make_record(number) for number in range(12)]
    tracker = Tracker(server.uri, sweep.name, sweep, sweep.config, warnings.append, patience=300)
    tracker.start()
    for place, record in enumerate(records):
        tracker.trial_started(make_record(record.number, state=TrialState.RUNNING))
        tracker.trial_finished(record, make_series(5))
        if place == 5:
            server.kill()
    while not warnings:
        time.sleep(0.05)
    assert "does not answer" in warnings[0]
    server.start()
    assert tracker.finish(SweepState.COMPLETE, Findings("verdict"), None, timeout=120)
    tracker.close()
    assert len(warnings) == 2 and "is back" in warnings[1]
    assert tracker.failure is None
    expected = {"runs": 12, "missing": 0, "duplicate": 0, "open": 0, "status": 0, "unknown": 0}
    assert verify(server.uri, sweep, records) == expected


def test_a_server_away_for_longer_than_patience_is_a_failure_and_nothing_is_dropped(tmp_path: Path) -> None:
    """A file stands where the database's folder should be, until it is removed."""
    sweep, warnings = make_sweep(), list[str]()
    record = make_record(0)
    (tmp_path / "folder").write_text("")
    uri = f"sqlite:///{tmp_path}/folder/mlflow.db"
    tracker = Tracker(uri, sweep.name, sweep, sweep.config, warnings.append, 0.3, str(tmp_path / "artifacts"))
    tracker.start()
    tracker.trial_finished(record, make_series(2))
    deadline = time.monotonic() + 60
    while tracker.failure is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert tracker.failure is not None and "was away for more than 0.3 s" in tracker.failure
    assert len(warnings) == 1
    assert not tracker.finish(SweepState.STOPPED, Findings("verdict"), None, timeout=0.1)
    assert not tracker.wait(), "nobody waits for longer than the patience"
    assert tracker.pending == [record.key, sweep.name]
    (tmp_path / "folder").unlink()
    assert tracker.finish(SweepState.COMPLETE, Findings("verdict"), None, timeout=60)
    assert tracker.pending == []
    tracker.close()
    assert verify(uri, sweep, [record])["runs"] == 1


def test_close_does_not_wait_for_a_server_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    sweep = make_sweep()
    tracker = Tracker(f"sqlite:///{tmp_path}/folder/m.db", sweep.name, sweep, sweep.config, lambda text: None, 600.0)
    tracker.start()
    tracker.trial_finished(make_record(0), [])
    assert not tracker.finish(SweepState.STOPPED, Findings("verdict"), None, timeout=0.1)
    tracker.close()
    assert tracker.failure is None


@pytest.mark.parametrize("uri", ["http://user:hidden@127.0.0.1:9", "sqlite:///{folder}"])
def test_verify_says_that_mlflow_cannot_be_asked(tmp_path: Path, uri: str) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to be read as one" * 40)
    with pytest.raises(TrackingUnavailable, match="cannot be asked") as caught:
        verify(uri.format(folder=tmp_path / "mlflow.db"), make_sweep(), [])
    assert "hidden" not in str(caught.value)


def test_verify_creates_no_database(tmp_path: Path) -> None:
    found = verify(f"sqlite:///{tmp_path}/mlflow.db", make_sweep(), [make_record(0)])
    assert found["missing"] == 1
    assert list(tmp_path.iterdir()) == []


def test_backlog_keeps_order_beyond_what_fits_in_memory() -> None:
    backlog = Backlog(in_memory=3)
    for number in range(10):
        backlog.put(number)
    taken = []
    for late in range(10, 14):
        taken.append(backlog.first(timeout=0))
        backlog.pop()
        backlog.put(late)
    assert len(backlog) == 10 and backlog.left() == list(range(4, 14))
    while len(backlog):
        taken.append(backlog.first(timeout=0))
        backlog.pop()
    assert taken == list(range(14))
    assert backlog.first(timeout=0) is None
    assert backlog.wait_empty(timeout=0)
