from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdsearch.ledger import Kind
from kdsearch.ledger import Ledger
from kdsearch.ledger import Reason
from kdsearch.ledger import TrialRecord
from kdsearch.ledger import TrialResult
from kdsearch.ledger import TrialState
from kdsearch.ledger import rows
from kdsearch.outage import AwayError
from kdsearch.search.attempt import TOO_MANY_FAILURES
from kdsearch.search.pack import Outcome
from kdsearch.search.pack import Pack
from kdsearch.search.pack import decode_message
from kdsearch.search.pack import encode_message
from kdsearch.search.pack import failed
from kdsearch.search.plan import planned_target
from tests.search.simulation import SPACE
from tests.search.simulation import make_config
from tests.search.simulation import make_ledger
from tests.search.simulation import open_attempt
from tests.search.simulation import outline
from tests.search.simulation import run_to_end
from tests.search.simulation import train


def test_a_sweep_has_what_its_config_asks_for(tmp_path: Path) -> None:
    config = make_config()
    ledger = make_ledger(tmp_path, config)
    attempt = run_to_end(ledger, config)
    trials = ledger.trials("sim")
    assert attempt.is_complete
    assert len(trials) == attempt.target == planned_target(config) == 2 * (3 + 12 + (2 + 3) * 3)
    assert Counter((t.kind, t.sample_count) for t in trials) == {
        (kind, n): count for n in (20, 50) for kind, count in zip(Kind, (12, 3, 15), strict=True)
    }
    assert {study.name for study in ledger.studies("sim")} == {
        f"sim/{part}n={n}" for part in ("", "controls/", "confirm/") for n in (20, 50)
    }


def test_controls_go_first_studies_interleave_and_confirmation_is_last(tmp_path: Path) -> None:
    config = make_config()
    ledger = make_ledger(tmp_path, config)
    attempt = open_attempt(ledger, config, 1)
    order: list[str] = []
    while not attempt.is_finished:
        pack = attempt.next_pack()
        assert pack is not None
        order.append(pack.slots[0].study)
        attempt.finish(train(attempt, pack.slots[0]))
    assert all("controls" in study for study in order[:6])
    assert order[6:30] == ["sim/n=20", "sim/n=50"] * 12
    assert all("confirm" in study for study in order[30:])


def test_confirmations_train_the_best_and_the_controls_on_shared_seeds_and_subsets(tmp_path: Path) -> None:
    config = make_config()
    ledger = make_ledger(tmp_path, config)
    run_to_end(ledger, config)
    trials = {t.key: t for t in ledger.trials("sim")}
    confirmations = [t for t in trials.values() if t.kind is Kind.CONFIRM and t.sample_count == 50]
    confirmed = {t.confirms for t in confirmations}
    searched = [t for t in trials.values() if t.kind is Kind.SEARCH and t.sample_count == 50]
    best = sorted(searched, key=lambda t: (-(t.value or 0), t.number))[:2]
    assert confirmed == {t.key for t in best} | {f"sim/controls/n=50#{i}" for i in range(3)}
    for t in confirmations:
        assert t.confirms is not None and t.recipe == trials[t.confirms].recipe
    seeds = {(t.replicate, t.seed, t.subset_seed) for t in confirmations}
    assert len(seeds) == 3, "one seed and one subset per replicate, the same for every recipe"
    assert len({t.subset_seed for t in confirmations}) == 3
    assert not {t.subset_seed for t in confirmations} & {t.subset_seed for t in searched}


def test_only_confirmations_see_the_test_split(tmp_path: Path) -> None:
    config = make_config()
    ledger = make_ledger(tmp_path, config)
    attempt = open_attempt(ledger, config, 1)
    while not attempt.is_finished:
        pack = attempt.next_pack()
        assert pack is not None
        (slot,) = pack.slots
        assert slot.on_test == slot.study.startswith("sim/confirm/")
        attempt.finish(train(attempt, slot))


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "cmaes", "qmc"])
@pytest.mark.parametrize("pruner", ["none", "successive_halving"])
def test_kills_change_nothing(tmp_path: Path, sampler: str, pruner: str) -> None:
    config = make_config(sampler=sampler, pruner=pruner)
    outlines = []
    for kills in (0, 15):
        folder = tmp_path / str(kills)
        folder.mkdir()
        ledger = make_ledger(folder, config)
        run_to_end(ledger, config, kills=kills)
        outlines.append(outline(ledger))
    assert outlines[0] == outlines[1]


@pytest.mark.parametrize("pruner", ["successive_halving", "hyperband", "median", "percentile", "wilcoxon"])
def test_pruned_trials_are_pruned_in_the_ledger(tmp_path: Path, pruner: str) -> None:
    config = make_config(pruner=pruner, trials_per_count=40, sample_counts=[20], confirm={"top_k": 0})
    ledger = make_ledger(tmp_path, config)
    run_to_end(ledger, config)
    states = Counter(t.state for t in ledger.trials("sim") if t.kind is Kind.SEARCH)
    assert sum(states.values()) == 40
    assert states[TrialState.COMPLETE] > 0
    if pruner != "wilcoxon":  # constant curves give it nothing to test
        assert states[TrialState.PRUNED] > 0
    controls = [t for t in ledger.trials("sim") if t.kind is Kind.CONTROL]
    assert all(t.state is TrialState.COMPLETE for t in controls)


def test_a_trial_that_keeps_taking_its_worker_down_fails_in_the_end(tmp_path: Path) -> None:
    config = make_config(max_restarts=2)
    ledger = make_ledger(tmp_path, config)
    attempt = open_attempt(ledger, config, 1)
    deaths: Counter[str] = Counter()
    while not attempt.is_finished:
        pack = attempt.next_pack()
        assert pack is not None
        (slot,) = pack.slots
        if slot.key == "sim/n=20#3":
            deaths[slot.key] += 1
            attempt.lose(slot.key, "exit code 9", blame=True)
        else:
            attempt.finish(train(attempt, slot))
    (record,) = [t for t in ledger.trials("sim") if t.key == "sim/n=20#3"]
    assert deaths == {"sim/n=20#3": 3}
    assert (record.state, record.reason, record.restarts) == (TrialState.FAIL, Reason.CRASHED, 2)
    assert record.error is not None and "exit code 9" in record.error


def test_restarts_are_counted_over_attempts(tmp_path: Path) -> None:
    config = make_config(max_restarts=2)
    ledger = make_ledger(tmp_path, config)
    for number in (1, 2):
        attempt = open_attempt(ledger, config, number)
        pack = attempt.next_pack()
        assert pack is not None
        attempt.lose(pack.slots[0].key, "killed", blame=True)
    attempt = open_attempt(ledger, config, 3)
    pack = attempt.next_pack()
    assert pack is not None
    attempt.lose(pack.slots[0].key, "killed", blame=True)
    assert [failure.key for failure in attempt.failures] == [pack.slots[0].key]


def test_losing_a_node_is_nobodys_fault(tmp_path: Path) -> None:
    config = make_config(max_restarts=0)
    ledger = make_ledger(tmp_path, config)
    attempt = open_attempt(ledger, config, 1)
    sent = []
    for _ in range(5):
        pack = attempt.next_pack()
        assert pack is not None
        sent.append((pack.slots[0].key, pack.slots[0].sending))
        attempt.lose(pack.slots[0].key, "node died", blame=False)
    assert sent == [("sim/controls/n=20#0", number) for number in range(1, 6)]
    assert attempt.failures == []


def test_leaving_a_node_in_good_order_is_no_interruption(tmp_path: Path) -> None:
    config = make_config()
    ledger = make_ledger(tmp_path, config)
    attempt = open_attempt(ledger, config, 1)
    pack = attempt.next_pack()
    assert pack is not None
    attempt.take_back(pack.slots[0].key)
    again = attempt.next_pack()
    assert again is not None
    assert (again.slots[0].key, again.slots[0].sending) == (pack.slots[0].key, 2)
    attempt.finish(train(attempt, again.slots[0]))
    (record,) = ledger.trials("sim")
    assert (record.state, record.losses, record.restarts) == (TrialState.COMPLETE, 0, 0)


@pytest.mark.parametrize("how", ["lost", "taken back"])
def test_what_was_to_go_out_again_does_not_stay_running_when_the_attempt_stops(tmp_path: Path, how: str) -> None:
    config = make_config()
    ledger = make_ledger(tmp_path, config)
    attempt = open_attempt(ledger, config, 1)
    pack = attempt.next_pack()
    assert pack is not None
    key = pack.slots[0].key
    attempt.lose(key, "node died", blame=False) if how == "lost" else attempt.take_back(key)
    attempt.stop("interrupted")
    attempt.suspend_all()
    assert [(record.key, record.state) for record in ledger.trials("sim")] == [(key, TrialState.WAITING)]


def test_a_failed_trial_counts_and_the_sweep_goes_on(tmp_path: Path) -> None:
    config = make_config(sample_counts=[20], confirm={"top_k": 0})
    ledger = make_ledger(tmp_path, config)
    attempt = open_attempt(ledger, config, 1)
    while not attempt.is_finished:
        pack = attempt.next_pack()
        assert pack is not None
        (slot,) = pack.slots
        diverges = slot.key == "sim/n=20#1"
        outcome = Outcome(slot.key, failed(Reason.NON_FINITE, "at step 7")) if diverges else train(attempt, slot)
        attempt.finish(outcome)
    (record,) = [t for t in ledger.trials("sim") if t.state is TrialState.FAIL]
    assert (record.key, record.reason, record.error) == ("sim/n=20#1", Reason.NON_FINITE, "at step 7")
    assert attempt.is_complete


def test_too_many_failures_stop_the_attempt_and_leave_it_resumable(tmp_path: Path) -> None:
    config = make_config(max_failed_trials=2)
    ledger = make_ledger(tmp_path, config)
    attempt = open_attempt(ledger, config, 1)
    while not attempt.is_finished:
        pack = attempt.next_pack()
        assert pack is not None
        attempt.finish(Outcome(pack.slots[0].key, failed(Reason.USER_CODE, "no")))
    assert attempt.stop_reason == TOO_MANY_FAILURES
    assert len(ledger.trials("sim")) == 3
    assert not attempt.is_complete
    assert open_attempt(ledger, config, 2).next_pack() is not None


def test_a_stopped_attempt_suspends_what_is_out(tmp_path: Path) -> None:
    config = make_config()
    ledger = make_ledger(tmp_path, config)
    attempt = open_attempt(ledger, config, 1)
    packs = [attempt.next_pack() for _ in range(3)]
    attempt.stop("interrupted")
    assert attempt.next_pack() is None
    assert packs[0] is not None
    attempt.finish(Outcome(packs[0].slots[0].key, None))
    attempt.suspend_all()
    assert [t.state for t in ledger.trials("sim")] == [TrialState.WAITING] * 3
    later = open_attempt(ledger, config, 2)
    again = [later.next_pack() for _ in range(3)]
    assert {pack.slots[0].key for pack in again if pack} == {pack.slots[0].key for pack in packs if pack}
    assert len(ledger.trials("sim")) == 3


def test_an_abandoned_attempt_writes_nothing_more(tmp_path: Path) -> None:
    config = make_config()
    ledger = make_ledger(tmp_path, config)
    attempt = open_attempt(ledger, config, 1)
    pack = attempt.next_pack()
    assert pack is not None
    before = ledger.trials("sim")
    attempt.abandon("another driver took the sweep over")
    attempt.finish(train(attempt, pack.slots[0]))
    attempt.suspend_all()
    assert ledger.trials("sim") == before and before[0].state is TrialState.RUNNING


def test_a_message_from_the_past_is_ignored(tmp_path: Path) -> None:
    config = make_config()
    ledger = make_ledger(tmp_path, config)
    attempt = open_attempt(ledger, config, 1)
    pack = attempt.next_pack()
    assert pack is not None
    outcome = train(attempt, pack.slots[0])
    attempt.finish(outcome)
    attempt.finish(Outcome(outcome.key, TrialResult(TrialState.COMPLETE, 0.0, {})))
    (record,) = ledger.trials("sim")
    assert record.value == (outcome.result and outcome.result.value)


def test_more_trials_extend_a_finished_sweep(tmp_path: Path) -> None:
    config = make_config()
    ledger = make_ledger(tmp_path, config)
    run_to_end(ledger, config)
    before = {t.key: t for t in ledger.trials("sim")}
    more = make_config(trials_per_count=15, sample_counts=[20, 50, 100])
    attempt = run_to_end(ledger, more)
    after = {t.key: t for t in ledger.trials("sim")}
    assert attempt.is_complete
    assert before.items() <= after.items()
    searched = Counter(t.sample_count for t in after.values() if t.kind is Kind.SEARCH)
    assert searched == {20: 15, 50: 15, 100: 15}


def test_searching_the_learning_rate_gives_labels_only_the_same_budget(tmp_path: Path) -> None:
    space = {"parameters": {"temperature": {}, "learning_rate": {"low": 0.01, "high": 0.1, "log": True}}}
    config = make_config(search_space=space, sample_counts=[20])
    ledger = make_ledger(tmp_path, config)
    run_to_end(ledger, config)
    rivals = [t for t in ledger.trials("sim") if t.study == "sim/controls/labels/n=20"]
    assert len(rivals) == 12
    for t in rivals:
        assert t.recipe.objective == "labels" and t.recipe.alpha == 0
        assert 0.01 <= t.recipe.training["learning_rate"] <= 0.1
    confirmed = {t.confirms for t in ledger.trials("sim") if t.kind is Kind.CONFIRM}
    assert len([key for key in confirmed if key and key.startswith("sim/controls/labels/")]) == 1


def test_the_observer_sees_every_trial_start_and_end_once(tmp_path: Path) -> None:
    class Observer:
        def __init__(self) -> None:
            self.started: list[str] = []
            self.finished: list[str] = []

        def trial_started(self, record: TrialRecord) -> None:
            assert record.state is TrialState.RUNNING
            self.started.append(record.key)

        def trial_finished(self, record: TrialRecord, series: object) -> None:
            assert record.state.is_finished
            self.finished.append(record.key)

        def trial_suspended(self, record: TrialRecord) -> None:
            raise AssertionError(record)

    config = make_config()
    ledger = make_ledger(tmp_path, config)
    observer = Observer()
    attempt = open_attempt(ledger, config, 1, observers=[observer])
    while not attempt.is_finished:
        pack = attempt.next_pack()
        assert pack is not None
        attempt.finish(train(attempt, pack.slots[0]))
    assert observer.started == observer.finished
    assert sorted(observer.started) == sorted(t.key for t in ledger.trials("sim"))


def test_packs_and_messages_survive_the_journey(tmp_path: Path) -> None:
    config = make_config()
    attempt = open_attempt(make_ledger(tmp_path, config), config, 1)
    pack = attempt.next_pack()
    assert pack is not None
    assert Pack.decode(pack.encode()) == pack
    outcome = train(attempt, pack.slots[0])
    suspended = Outcome("x#1", None)
    assert decode_message(encode_message([outcome, suspended])) == [outcome, suspended]


class AwayLedger:
    """Makes every call to a real ledger fail while `away`, as one does that was gone for longer than is waited."""

    def __init__(self, ledger: Ledger) -> None:
        self.away = False
        ledger.wait_out(self)

    def __call__(self, call: Callable[[], Any]) -> Any:
        if self.away:
            raise AwayError("the ledger was away for more than 600 s")
        return call()


def test_results_that_the_ledger_does_not_take_are_told_by_the_next_attempt(tmp_path: Path) -> None:
    config = make_config()
    ledger = make_ledger(tmp_path, config)
    gate = AwayLedger(ledger)
    attempt = open_attempt(ledger, config, 1)
    packs = [attempt.next_pack() for _ in range(3)]
    outcomes = [train(attempt, pack.slots[0]) for pack in packs if pack is not None]
    gate.away = True
    attempt.finish(outcomes[0])
    assert attempt.stop_reason == "the ledger was away for more than 600 s"
    attempt.finish(outcomes[1])
    attempt.finish(Outcome(outcomes[2].key, None))
    assert attempt.next_pack() is None and attempt.is_finished and not attempt.is_complete
    gate.away = False
    assert all(trial.state is TrialState.RUNNING for trial in ledger.trials("sim"))

    again = open_attempt(ledger, config, 2)
    trials = {trial.key: trial for trial in ledger.trials("sim")}
    for outcome in outcomes[:2]:
        assert outcome.result is not None
        trial = trials[outcome.key]
        assert (trial.state, trial.value, trial.attempts) == (TrialState.COMPLETE, outcome.result.value, (1,))
        assert ledger.series(outcome.key) == list(outcome.series)
    pack = again.next_pack()
    assert pack is not None and pack.slots[0].key == outcomes[2].key
    assert list(tmp_path.glob("results*")) == []


def test_a_row_whose_acknowledgement_was_lost_is_not_written_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config()
    ledger = make_ledger(tmp_path, config)
    insert = rows.insert_trial
    lost: list[int] = []

    def insert_and_lose(*args: Any) -> tuple[int, int]:
        answer = insert(*args)
        if not lost:
            lost.append(answer[0])
            raise ConnectionError("the answer did not come")
        return answer

    def insist(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except ConnectionError:
            return call()

    monkeypatch.setattr(rows, "insert_trial", insert_and_lose)
    ledger.wait_out(insist)
    run_to_end(ledger, config)
    assert lost
    assert len(ledger.trials("sim")) == planned_target(config)


NARROW = SPACE | {"temperature": {"low": 1, "high": 10, "log": True}}


def test_a_changed_range_begins_a_generation_seeded_with_the_trials_inside_it(tmp_path: Path) -> None:
    before = make_config(confirm={"top_k": 0})
    ledger = make_ledger(tmp_path, before)
    run_to_end(ledger, before)
    first = [trial for trial in ledger.trials("sim") if trial.study == "sim/n=20"]
    inside = [t for t in first if t.recipe.hyperparameters.get("temperature", 1.0) <= 10]
    assert 0 < len(inside) < len(first) == 12

    after = make_config(confirm={"top_k": 0}, trials_per_count=20, search_space={"parameters": NARROW})
    attempt = run_to_end(ledger, after)
    trials = ledger.trials("sim")
    second = [trial for trial in trials if trial.study == "sim/n=20/g2"]
    assert attempt.is_complete and attempt.target == len(trials)
    assert len(inside) + len(second) == 20
    assert all(trial.recipe.hyperparameters.get("temperature", 1.0) <= 10 for trial in second)
    assert [trial for trial in trials if trial.study == "sim/n=20"] == first
    assert len({trial.key for trial in trials}) == len(trials)

    again = run_to_end(ledger, after)
    assert again.is_complete and len(ledger.trials("sim")) == len(trials)


def test_a_generation_is_interrupted_and_ends_as_if_it_was_not(tmp_path: Path) -> None:
    outlines = []
    for name, kills in (("straight", 0), ("killed", 6)):
        (tmp_path / name).mkdir()
        before = make_config(pruner="median")
        ledger = make_ledger(tmp_path / name, before)
        run_to_end(ledger, before)
        after = make_config(pruner="median", trials_per_count=16, search_space={"parameters": NARROW})
        attempt = run_to_end(ledger, after, kills=kills)
        assert attempt.is_complete
        outlines.append(outline(ledger))
    assert outlines[0] == outlines[1]


def test_an_unfinished_trial_of_an_earlier_generation_is_brought_to_its_end(tmp_path: Path) -> None:
    before = make_config(confirm={"top_k": 0}, controls=[])
    ledger = make_ledger(tmp_path, before)
    attempt = open_attempt(ledger, before, 1)
    pack = attempt.next_pack()
    assert pack is not None
    after = make_config(confirm={"top_k": 0}, controls=[], search_space={"parameters": NARROW})
    run_to_end(ledger, after)
    trials = {trial.key: trial for trial in ledger.trials("sim")}
    assert trials[pack.slots[0].key].state is TrialState.COMPLETE
    assert all(trial.state is TrialState.COMPLETE for trial in trials.values())
