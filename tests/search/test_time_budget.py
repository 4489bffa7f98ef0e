from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kdsearch.config.schema import SweepConfig
from kdsearch.ledger import Kind
from kdsearch.ledger import Lease
from kdsearch.ledger import Ledger
from kdsearch.ledger import SweepState
from kdsearch.ledger import TrialState
from kdsearch.ledger import open_ledger
from kdsearch.ledger import tables
from kdsearch.search.attempt import Attempt
from kdsearch.search.clock import SearchClock
from kdsearch.search.spool import Spool
from tests.search.simulation import make_config
from tests.search.simulation import make_ledger
from tests.search.simulation import train

CONTROLS, CONFIRMATIONS = 2 * 3, 2 * (3 + 2) * 3


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def begin(ledger: Ledger, config: SweepConfig, time: Time, *, earlier: float = 0.0) -> Attempt:
    clock = SearchClock(config.time_budget, earlier=earlier, now=time)
    folder = Path(str(ledger.engine.url.database)).parent
    attempt = Attempt(ledger, config, 1, Spool(folder / "results.jsonl"), clock=clock)
    attempt.open()
    time.now += 500  # Ray starts, data are read, the teacher is trained
    attempt.begin_search()
    return attempt


def train_all(attempt: Attempt, time: Time, *, between: float = 0.0) -> None:
    """Each trial takes ten seconds, and `between` lie between two of them."""
    while not attempt.is_finished:
        pack = attempt.next_pack()
        assert pack is not None
        for slot in pack.slots:
            time.now += 10
            attempt.finish(train(attempt, slot))
        time.now += between


def kinds(ledger: Ledger) -> Counter[Kind]:
    assert all(trial.state is TrialState.COMPLETE for trial in ledger.trials("sim"))
    return Counter(trial.kind for trial in ledger.trials("sim"))


@pytest.mark.parametrize("between", [0.0, 100.0])
def test_only_search_counts_and_what_it_found_is_confirmed(tmp_path: Path, between: float) -> None:
    """Also where the time is over while nothing is out, which nobody's end tells."""
    config = make_config(time_budget=95.0 + 9 * between)
    ledger, time = make_ledger(tmp_path, config), Time()
    attempt = begin(ledger, config, time)
    train_all(attempt, time, between=between)
    assert kinds(ledger) == {Kind.CONTROL: CONTROLS, Kind.SEARCH: 4, Kind.CONFIRM: CONFIRMATIONS}
    assert attempt.clock.seconds <= 100 + 10 * between
    assert attempt.stop_reason is None and not attempt.is_complete


def test_the_next_attempt_has_what_is_left(tmp_path: Path) -> None:
    config = make_config(time_budget=100.0)
    ledger, time = make_ledger(tmp_path, config), Time()
    attempt = begin(ledger, config, time)
    for _ in range(8):
        pack = attempt.next_pack()
        assert pack is not None
        time.now += 10
        attempt.finish(train(attempt, pack.slots[0]))
    attempt.suspend_all()
    time.now += 10_000
    assert attempt.clock.seconds == 80

    attempt = begin(ledger, config, time, earlier=80.0)
    train_all(attempt, time)
    assert kinds(ledger) == {Kind.CONTROL: CONTROLS, Kind.SEARCH: 4, Kind.CONFIRM: CONFIRMATIONS}

    more = make_config(time_budget=1000.0)
    attempt = begin(ledger, more, time, earlier=100.0)
    train_all(attempt, time)
    assert attempt.is_complete and kinds(ledger)[Kind.SEARCH] == 24


def test_an_attempt_that_only_confirms_uses_none_of_it(tmp_path: Path) -> None:
    config = make_config(time_budget=95.0)
    ledger, time = make_ledger(tmp_path, config), Time()
    attempt = begin(ledger, config, time, earlier=95.0)
    train_all(attempt, time)
    assert kinds(ledger) == {Kind.CONTROL: CONTROLS, Kind.CONFIRM: 2 * 3 * 3}, "what has no trial has its controls"
    assert attempt.clock.seconds == 10 * CONTROLS

    attempt = begin(ledger, config, time, earlier=155.0)
    assert attempt.is_finished and attempt.clock.seconds == 0


def test_what_is_used_is_in_the_ledger_with_every_heartbeat(tmp_path: Path) -> None:
    ledger = make_ledger(tmp_path, make_config())
    used = [12.0, 30.0, 0.5]

    def beat(lease: Lease, seconds: float) -> None:
        lease.keep(lambda why: None, lambda: None, search_seconds=lambda: seconds)
        lease._make_sure()

    def recorded() -> float:
        sweep = ledger.sweep("sim")
        assert sweep is not None
        return sweep.search_seconds

    first = Lease.acquire(ledger, "sim")
    beat(first, used[0])
    assert recorded() == 12
    beat(first, used[1])
    assert recorded() == 30
    first.release(SweepState.INTERRUPTED, "interrupted")
    second = Lease.acquire(ledger, "sim")
    beat(second, used[2])
    second.release(SweepState.COMPLETE, "complete")
    assert recorded() == 30.5


def test_a_ledger_of_an_earlier_version_is_read_and_written(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledger = make_ledger(tmp_path, make_config())
    tables.search_time.drop(ledger.engine)
    ledger.close()

    def seconds(**options: Any) -> float:
        opened = open_ledger(url, **options)
        sweep = opened.sweep("sim")
        opened.close()
        assert sweep is not None
        return sweep.search_seconds

    assert seconds() == 0
    assert seconds(create=True) == 0
    opened = open_ledger(url)
    Lease.acquire(opened, "sim").release(SweepState.COMPLETE, "complete")
