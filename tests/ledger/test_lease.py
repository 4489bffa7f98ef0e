from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import optuna
import pytest
from sqlalchemy import select
from sqlalchemy import update

from kdsearch.errors import DriverAtWorkError
from kdsearch.ledger import Kind
from kdsearch.ledger import Lease
from kdsearch.ledger import LeaseLostError
from kdsearch.ledger import Ledger
from kdsearch.ledger import SweepState
from kdsearch.ledger import TrialResult
from kdsearch.ledger import TrialState
from kdsearch.ledger import lease as lease_module
from kdsearch.ledger import open_ledger
from kdsearch.ledger import tables
from kdsearch.ledger.ledger import Decision
from kdsearch.outage import Outage
from kdsearch.recipe import Recipe


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db", create=True)
    ledger.create_sweep("digits", {}, 10)
    return ledger


def take_in_another_process(tmp_path: Path, then: str) -> subprocess.Popen[str]:
    code = (
        "import os, sys, time\n"
        "from kdsearch.ledger import Lease, open_ledger\n"
        f"lease = Lease.acquire(open_ledger('sqlite:///{tmp_path}/ledger.db'), 'digits')\n"
        "print(lease.number, flush=True)\n" + then
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "1"
    return process


def test_attempts_are_numbered_and_their_ends_kept(ledger: Ledger) -> None:
    Lease.acquire(ledger, "digits").release(SweepState.INTERRUPTED, "interrupted by SIGINT")
    second = Lease.acquire(ledger, "digits")
    sweep = ledger.sweep("digits")
    assert sweep is not None
    assert sweep.state is SweepState.RUNNING
    assert [(a.number, a.outcome) for a in sweep.attempts] == [(1, "interrupted by SIGINT"), (2, None)]
    second.release(SweepState.COMPLETE, "complete")
    sweep = ledger.sweep("digits")
    assert sweep is not None and sweep.state is SweepState.COMPLETE


def test_a_living_driver_is_not_disturbed(tmp_path: Path, ledger: Ledger) -> None:
    holder = take_in_another_process(tmp_path, "lease.keep(print, print)\nsys.stdin.readline()\ntime.sleep(600)\n")
    try:
        with pytest.raises(DriverAtWorkError, match=f"process {holder.pid} on .*, attempt 1, since "):
            Lease.acquire(ledger, "digits")
    finally:
        holder.kill()
        holder.wait()


def test_a_dead_drivers_lease_is_taken_at_once(tmp_path: Path, ledger: Ledger) -> None:
    holder = take_in_another_process(tmp_path, "os._exit(9)\n")
    holder.wait()
    waited: list[str] = []
    assert Lease.acquire(ledger, "digits", waited.append).number == 2
    assert waited == []
    sweep = ledger.sweep("digits")
    assert sweep is not None and sweep.attempts[0].outcome == "died"


def test_a_dead_drivers_time_ends_when_it_was_last_alive(tmp_path: Path, ledger: Ledger) -> None:
    """The days between a crash and the resume must not be counted towards `time_budget`."""
    take_in_another_process(tmp_path, "os._exit(9)\n").wait()
    started, alive = datetime(2026, 1, 2, 3, 0), datetime(2026, 1, 2, 3, 10)
    with ledger.engine.begin() as connection:
        connection.execute(update(tables.attempt).values(started=started, alive=alive))
    Lease.acquire(ledger, "digits")
    sweep = ledger.sweep("digits")
    assert sweep is not None and sweep.seconds_used() == 600


def test_a_clock_that_was_set_back_takes_no_time_away(ledger: Ledger) -> None:
    for number, (started, ended) in enumerate([(10, 4), (5, 8)], start=1):
        Lease.acquire(ledger, "digits").release(SweepState.INTERRUPTED, "interrupted by SIGINT")
        times = {"started": datetime(2026, 1, 2, started), "ended": datetime(2026, 1, 2, ended)}
        with ledger.engine.begin() as connection:
            connection.execute(update(tables.attempt).where(tables.attempt.c.number == number).values(**times))
    sweep = ledger.sweep("digits")
    assert sweep is not None and sweep.seconds_used() == 3 * 3600


def test_the_heartbeat_says_when_the_driver_was_alive(ledger: Ledger) -> None:
    lease = Lease.acquire(ledger, "digits")
    with ledger.engine.begin() as connection:
        connection.execute(update(tables.attempt).values(alive=datetime(2026, 1, 1)))
    assert lease._advance() is False
    with ledger.engine.connect() as connection:
        assert connection.execute(select(tables.attempt.c.alive)).scalar_one() > datetime(2026, 1, 2)


def test_a_sweep_whose_driver_was_killed_reads_as_interrupted(tmp_path: Path, ledger: Ledger) -> None:
    take_in_another_process(tmp_path, "os._exit(9)\n").wait()
    sweep = ledger.sweep("digits")
    assert sweep is not None and sweep.state is SweepState.INTERRUPTED


def test_a_silent_lease_of_another_host_is_taken_when_stale(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "STALE_AFTER", 1.0)
    Lease.acquire(ledger, "digits")
    with ledger.engine.begin() as connection:
        connection.execute(update(tables.attempt).values(host="elsewhere"))
    waited: list[str] = []
    assert Lease.acquire(ledger, "digits", waited.append).number == 2
    assert len(waited) == 1 and "elsewhere" in waited[0]


def test_of_two_drivers_in_the_same_instant_one_wins(tmp_path: Path, ledger: Ledger) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledgers = [open_ledger(url) for _ in range(8)]
    start = threading.Barrier(len(ledgers))
    numbers: list[int | None] = []

    def race(own: Ledger) -> None:
        with own.engine.connect() as connection:
            row = connection.execute(tables.sweep.select()).one()
        start.wait()
        numbers.append(lease_module._take(own, row, None))

    threads = [threading.Thread(target=race, args=(own,)) for own in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers, key=lambda number: number is None) == [1] + [None] * 7


def test_a_lost_lease_is_noticed(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "HEARTBEAT_EVERY", 0.05)
    lease = Lease.acquire(ledger, "digits")
    lost: list[str] = []
    noticed = threading.Event()

    def on_lost(why: str) -> None:
        lost.append(why)
        noticed.set()

    lease.keep(on_lost, lambda: None)
    with ledger.engine.begin() as connection:
        connection.execute(update(tables.sweep).values(holder=99))
    assert noticed.wait(30)
    assert lost == ["another driver took the sweep over"]


def test_a_doubtful_lease_is_made_sure_of_before_a_write(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = Lease.acquire(ledger, "digits")
    lease.confirm()
    monkeypatch.setattr(lease_module, "DOUBTFUL_AFTER", 0.0)
    lease.confirm()
    with ledger.engine.begin() as connection:
        connection.execute(update(tables.sweep).values(holder=99))
    for _ in range(2):
        with pytest.raises(LeaseLostError, match="another driver took the sweep over"):
            lease.confirm()
    assert lease.is_lost and lease.is_doubtful


def test_no_write_gets_through_once_another_driver_has_the_lease(ledger: Ledger) -> None:
    """Also one that began while the lease was ours: it is held with the write, not looked at before."""
    study = ledger.open_study("digits/n=50", Kind.SEARCH, 50, maximize=True)
    spec = {"recipe": Recipe("labels", 0.0).to_dict(), "seed": 1, "subset_seed": 2}

    def new_row() -> optuna.trial.FrozenTrial:
        return optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING)

    lease = Lease.acquire(ledger, "digits")
    ledger.fence(lease.hold)
    record = ledger.start_trial(study, 0, spec, new_row(), 1)
    waiting = ledger.suspend_trial(study, ledger.start_trial(study, 1, spec, new_row(), 1).number)
    with ledger.engine.begin() as connection:
        connection.execute(update(tables.sweep).values(holder=99))
    before = ledger.sweep("digits"), ledger.trials("digits")
    result = TrialResult(TrialState.COMPLETE, 0.5, {})
    writes: list[Callable[[], object]] = [
        lambda: ledger.start_trial(study, 2, spec, new_row(), 1),
        lambda: ledger.continue_trial(study, waiting, 2),
        lambda: ledger.count_interruption(study, record, blame=True),
        lambda: ledger.suspend_trial(study, 0),
        lambda: ledger.write_decision(study, 0, Decision(1, 0.5, True, {})),
        lambda: ledger.finish_trial("digits", study, 0, result, ()),
        lambda: ledger.tell(study, 0, result),
        lambda: ledger.update_sweep("digits", target=5),
    ]
    for write in writes:
        with pytest.raises(LeaseLostError, match="another driver took the sweep over"):
            write()
    assert lease.is_lost
    assert (ledger.sweep("digits"), ledger.trials("digits")) == before


def test_a_ledger_that_is_away_does_not_end_the_lease(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "HEARTBEAT_EVERY", 0.05)
    warnings: list[str] = []
    outage = Outage("The ledger", 600, warnings.append)
    lease = Lease.acquire(ledger, "digits")
    advance = lease._advance

    def fail() -> bool:
        raise ConnectionError("refused")

    lease._advance = fail  # type: ignore[method-assign]
    lease.keep(lambda why: None, lambda: None, outage)
    while not warnings:
        threading.Event().wait(0.02)
    lease._advance = advance  # type: ignore[method-assign]
    while len(warnings) < 2:
        threading.Event().wait(0.02)
    assert "does not answer" in warnings[0] and "is back" in warnings[1]
    assert not lease.is_lost
    lease.release(SweepState.COMPLETE, "complete")


def test_a_stop_request_reaches_the_driver(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "HEARTBEAT_EVERY", 0.05)
    lease = Lease.acquire(ledger, "digits")
    asked = threading.Event()
    lease.keep(lambda why: None, asked.set)
    ledger.request_stop("digits")
    assert asked.wait(30)
    lease.release(SweepState.STOPPED, "stop requested")
