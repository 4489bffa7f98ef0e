"""What is under way when a sweep is changed, and the changed sweep has no use for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from kdsearch.config.schema import SweepConfig
from kdsearch.ledger import Kind
from kdsearch.ledger import Ledger
from kdsearch.ledger import Reason
from kdsearch.ledger import TrialRecord
from kdsearch.ledger import TrialState
from kdsearch.search.attempt import Attempt
from tests.search.simulation import SPACE
from tests.search.simulation import make_config
from tests.search.simulation import make_ledger
from tests.search.simulation import open_attempt
from tests.search.simulation import run_to_end
from tests.search.simulation import train

SMALL = {"sample_counts": [20], "trials_per_count": 3, "controls": ["labels"]}


def run_until(ledger: Ledger, config: SweepConfig, study: str, out: int) -> tuple[Attempt, set[str]]:
    """Train until `out` trials of `study` are out, which stay so as when the driver dies; their keys."""
    attempt = open_attempt(ledger, config, 1)
    held: set[str] = set()
    while len(held) < out:
        pack = attempt.next_pack()
        assert pack is not None
        for slot in pack.slots:
            if slot.study == study:
                held.add(slot.key)
            else:
                attempt.finish(train(attempt, slot))
    return attempt, held


def by_key(ledger: Ledger) -> dict[str, TrialRecord]:
    return {trial.key: trial for trial in ledger.trials("sim")}


@pytest.mark.parametrize("suspended", [False, True])
def test_confirmations_under_way_are_dropped_when_confirmation_is_switched_off(tmp_path: Path, suspended: bool) -> None:
    config = make_config(**SMALL)
    ledger = make_ledger(tmp_path, config)
    first, held = run_until(ledger, config, "sim/confirm/n=20", 2)
    if suspended:
        first.suspend_all()

    off = make_config(**SMALL, confirm={"top_k": 0})
    attempt = run_to_end(ledger, off)
    trials = by_key(ledger)
    assert {(trials[key].state, trials[key].reason) for key in held} == {(TrialState.FAIL, Reason.DROPPED)}
    assert all(trial.state.is_finished for trial in trials.values())
    assert attempt.is_complete and attempt.failures == [] and attempt.target == len(trials)


def test_what_was_dropped_is_trained_when_it_is_wanted_again(tmp_path: Path) -> None:
    config = make_config(**SMALL)
    ledger = make_ledger(tmp_path, config)
    _, held = run_until(ledger, config, "sim/confirm/n=20", 2)
    run_to_end(ledger, make_config(**SMALL, confirm={"top_k": 0}))
    attempt = run_to_end(ledger, config)
    complete = [t for t in by_key(ledger).values() if t.kind is Kind.CONFIRM and t.state is TrialState.COMPLETE]
    assert attempt.is_complete
    assert Counter(t.replicate for t in complete) == {0: 3, 1: 3, 2: 3}
    assert not held & {t.key for t in complete}


def test_confirmation_seeds_that_are_no_longer_wanted_are_dropped(tmp_path: Path) -> None:
    config = make_config(**SMALL)
    ledger = make_ledger(tmp_path, config)
    _, held = run_until(ledger, config, "sim/confirm/n=20", 9)
    attempt = run_to_end(ledger, make_config(**SMALL, confirm={"top_k": 2, "seeds": 1}))
    trials = by_key(ledger)
    ended = Counter((trials[key].replicate, trials[key].state) for key in held)
    assert ended == {(0, TrialState.COMPLETE): 3, (1, TrialState.FAIL): 3, (2, TrialState.FAIL): 3}
    assert attempt.is_complete and attempt.failures == []


def test_confirmations_wait_while_more_trials_are_searched(tmp_path: Path) -> None:
    config = make_config(**SMALL)
    ledger = make_ledger(tmp_path, config)
    _, held = run_until(ledger, config, "sim/confirm/n=20", 4)
    more = make_config(**SMALL | {"trials_per_count": 30})
    attempt = open_attempt(ledger, more, 2)
    assert {by_key(ledger)[key].state for key in held} == {TrialState.WAITING}, "nobody is at work on them"
    assert not attempt.is_complete
    attempt = run_to_end(ledger, more)
    trials = by_key(ledger)
    confirmed = {t.confirms for t in trials.values() if t.kind is Kind.CONFIRM and t.state is TrialState.COMPLETE}
    for key in held:
        wanted = trials[key].confirms in confirmed
        assert trials[key].state is (TrialState.COMPLETE if wanted else TrialState.FAIL)
    assert attempt.is_complete


def test_labels_only_that_is_no_longer_searched_is_dropped(tmp_path: Path) -> None:
    rate = {"learning_rate": {"low": 0.01, "high": 0.1, "log": True}}
    config = make_config(**SMALL, search_space={"parameters": SPACE | rate})
    ledger = make_ledger(tmp_path, config)
    _, held = run_until(ledger, config, "sim/controls/labels/n=20", 1)
    attempt = run_to_end(ledger, make_config(**SMALL))
    assert {by_key(ledger)[key].reason for key in held} == {Reason.DROPPED}
    assert attempt.is_complete and all(trial.state.is_finished for trial in by_key(ledger).values())


def test_a_range_that_is_changed_back_goes_on_with_its_generation(tmp_path: Path) -> None:
    small = SMALL | {"confirm": {"top_k": 0}}
    before = make_config(**small)
    ledger = make_ledger(tmp_path, before)
    run_to_end(ledger, before)
    narrow = SPACE | {"temperature": {"low": 1, "high": 1.5, "log": True}}
    _, held = run_until(ledger, make_config(**small, search_space={"parameters": narrow}), "sim/n=20/g2", 1)

    back = make_config(**small | {"trials_per_count": 6})
    attempt = run_to_end(ledger, back)
    trials = by_key(ledger)
    assert all(trials[key].state is TrialState.COMPLETE for key in held), "an earlier generation's trials are ended"
    assert attempt.is_complete and attempt.target == len(trials)
    searched = Counter(trial.study for trial in trials.values() if trial.kind is Kind.SEARCH)
    assert searched == {"sim/n=20": 5, "sim/n=20/g2": 1}, "they lie inside the range, and count"


def test_the_observers_hear_of_what_is_dropped_while_the_attempt_is_at_work(tmp_path: Path) -> None:
    class Observer:
        def __init__(self) -> None:
            self.finished: list[TrialRecord] = []

        def trial_started(self, record: TrialRecord) -> None: ...

        def trial_finished(self, record: TrialRecord, series: object) -> None:
            self.finished.append(record)

        def trial_suspended(self, record: TrialRecord) -> None: ...

    config = make_config(**SMALL)
    ledger = make_ledger(tmp_path, config)
    run_until(ledger, config, "sim/confirm/n=20", 9)
    fewer = make_config(**SMALL | {"trials_per_count": 4}, confirm={"top_k": 1, "seeds": 1})
    observer = Observer()
    attempt = open_attempt(ledger, fewer, 2, observers=[observer])
    while not attempt.is_finished:
        pack = attempt.next_pack()
        assert pack is not None
        for slot in pack.slots:
            attempt.finish(train(attempt, slot))
    heard = {record.key for record in observer.finished if record.is_dropped}
    assert heard == {trial.key for trial in by_key(ledger).values() if trial.is_dropped} and heard
