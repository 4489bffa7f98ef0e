"""The ledger on a real PostgreSQL server: drivers that start at once, and one that outlives a restart of the server."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TypeVar

import optuna
import pytest
from sqlalchemy import create_engine
from sqlalchemy import inspect

from kdsearch.errors import InputError
from kdsearch.ledger import Kind
from kdsearch.ledger import Lease
from kdsearch.ledger import LeaseLostError
from kdsearch.ledger import Ledger
from kdsearch.ledger import NoLedgerError
from kdsearch.ledger import TrialResult
from kdsearch.ledger import TrialState
from kdsearch.ledger import cause_of
from kdsearch.ledger import is_away
from kdsearch.ledger import lease as lease_module
from kdsearch.ledger import open_ledger
from kdsearch.ledger import tables
from kdsearch.outage import Outage
from tests.ledger.test_ledger import SERIES
from tests.ledger.test_ledger import SPEC
from tests.services.servers import PostgresServer

pytestmark = pytest.mark.services

DRIVERS = 4
T = TypeVar("T")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as started:
        yield started


@pytest.fixture
def url(server: PostgresServer) -> str:
    return server.create_database(f"ledger_{uuid.uuid4().hex[:8]}")


def together(actions: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """What each of `actions` returns or raises, all begun at the same moment, in threads of their own."""
    start = threading.Barrier(len(actions))
    found: list[T | Exception] = []

    def run(action: Callable[[], T]) -> None:
        start.wait()
        try:
            found.append(action())
        except Exception as error:
            found.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_drivers_that_start_at_once_make_one_ledger_and_one_of_them_has_the_lease(url: str) -> None:
    ledgers = []
    for found in together([lambda: open_ledger(url, create=True)] * DRIVERS):
        assert isinstance(found, Ledger), found
        ledgers.append(found)
    ledgers[0].create_sweep("digits", {}, 10)

    def take(ledger: Ledger) -> Callable[[], int | None]:
        with ledger.engine.connect() as connection:
            seen = connection.execute(tables.sweep.select()).one()
        return lambda: lease_module._take(ledger, seen, None)

    taken = together([take(ledger) for ledger in ledgers])
    assert sorted(map(str, taken)) == ["1", *["None"] * (DRIVERS - 1)]
    for ledger in ledgers:
        ledger.close()


def test_writes_wait_while_the_server_restarts(server: PostgresServer, url: str) -> None:
    ledger = open_ledger(url, create=True)
    ledger.create_sweep("digits", {}, 10)
    lease = Lease.acquire(ledger, "digits")
    warnings: list[str] = []
    restarted: list[None] = []

    def restart_once() -> None:
        if not restarted:
            restarted.append(None)
            server.start()

    outage = Outage("The ledger", 600, warnings.append, while_waiting=restart_once, describe=cause_of)
    ledger.wait_out(lambda call: outage.insist(call, is_away))
    study = ledger.open_study("digits/n=50", Kind.SEARCH, 50, maximize=True)
    server.kill()
    frozen = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING)
    record = ledger.start_trial(study, 0, SPEC, frozen, lease.number)
    ledger.finish_trial("digits", study, 0, TrialResult(TrialState.COMPLETE, 0.9, {"val_accuracy": 0.9}), SERIES)
    assert "does not answer" in warnings[0] and "is back" in warnings[-1]
    (found,) = ledger.trials("digits")
    assert (found.key, found.state, found.value) == (record.key, TrialState.COMPLETE, 0.9)
    assert ledger.series(found.key) == SERIES
    ledger.close()


def test_a_server_that_is_down_is_told_at_once_and_without_its_password(server: PostgresServer, url: str) -> None:
    server.kill()
    try:
        with pytest.raises(InputError, match="can't be opened") as caught:
            open_ledger(url, create=True)
        password = url.partition("//")[2].partition("@")[0].partition(":")[2]
        assert password and password not in str(caught.value)
    finally:
        server.start()


def test_reading_an_empty_database_makes_no_tables(url: str) -> None:
    with pytest.raises(NoLedgerError, match="holds no kdsearch ledger"):
        open_ledger(url)
    engine = create_engine(url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_nobody_takes_the_lease_while_a_write_is_under_way(url: str) -> None:
    ours, theirs = open_ledger(url, create=True), open_ledger(url)
    ours.create_sweep("digits", {}, 10)
    lease = Lease.acquire(ours, "digits")
    ours.fence(lease.hold)
    with theirs.engine.connect() as connection:
        seen = connection.execute(tables.sweep.select()).one()
    taken = threading.Event()

    def take() -> None:
        lease_module._take(theirs, seen, None)
        taken.set()

    with ours._writing():
        taker = threading.Thread(target=take)
        taker.start()
        assert not taken.wait(0.5)
    taker.join()
    with pytest.raises(LeaseLostError):
        ours.update_sweep("digits", target=5)
    for ledger in (ours, theirs):
        ledger.close()
