"""Hundreds of trials on many virtual workers: the attempt, its ledger and its samplers at work."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kdsearch.config.schema import SweepConfig
from kdsearch.ledger import Kind
from kdsearch.ledger import Ledger
from kdsearch.ledger import TrialState
from kdsearch.search.attempt import Attempt
from kdsearch.search.plan import planned_target
from tests.search.simulation import make_config
from tests.search.simulation import make_ledger
from tests.search.simulation import open_attempt
from tests.search.simulation import outline
from tests.simulation.cluster import Cluster
from tests.simulation.cluster import Killed


def run(ledger: Ledger, config: SweepConfig, workers: int, *, kills: int = 0, stops: int = 0) -> Attempt:
    """Bring the sweep to its end; the driver dies, or is stopped and suspends what is out, at random moments."""
    chance = random.Random(kills + stops)
    number = 1
    while True:
        attempt = open_attempt(ledger, config, number)
        last = chance.randrange(1, 40) if number <= kills + stops else None

        def on_event(ended: int, attempt: Attempt = attempt, last: int | None = last) -> None:
            if last is not None and ended >= last:
                raise Killed

        try:
            Cluster(attempt, workers, on_event).run()
        except Killed:
            if number > kills:
                attempt.stop("interrupted")
                attempt.suspend_all()
            number += 1
        else:
            return attempt


@pytest.mark.parametrize("pruner", ["none", "successive_halving"])
def test_every_trial_is_there_once(tmp_path: Path, pruner: str) -> None:
    config = make_config(trials_per_count=60, pruner=pruner)
    ledger = make_ledger(tmp_path, config)
    attempt = run(ledger, config, workers=30)
    trials = ledger.trials("sim")
    assert attempt.is_complete
    assert len(trials) == len({t.key for t in trials}) == planned_target(config)
    assert all(t.state in (TrialState.COMPLETE, TrialState.PRUNED) and t.attempts == (1,) for t in trials)
    states = Counter(t.state for t in trials if t.kind is Kind.SEARCH)
    assert (states[TrialState.PRUNED] > 0) == (pruner != "none")


@pytest.mark.parametrize("ends", [{"kills": 4}, {"stops": 4}, {"kills": 2, "stops": 2}])
def test_a_crowd_of_workers_and_interruptions_lose_nothing(tmp_path: Path, ends: dict[str, int]) -> None:
    config = make_config(trials_per_count=60, pruner="successive_halving")
    ledger = make_ledger(tmp_path, config)
    attempt = run(ledger, config, workers=30, **ends)
    trials = ledger.trials("sim")
    assert attempt.is_complete and len(trials) == planned_target(config)
    assert all(t.state.is_finished and t.state is not TrialState.FAIL for t in trials)
    assert {len(t.attempts) for t in trials} >= {1, 2}, "some went on in their rows"


@pytest.mark.parametrize("changes", [{}, {"pruner": "hyperband"}, {"sampler": "gp", "trials_per_count": 30}])
def test_one_worker_and_interruptions_give_the_same_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    # Small windows, so that the history outgrows them.
    monkeypatch.setattr("kdsearch.search.advisor.NEWEST", {"tpe": 15, "gp": 5})
    monkeypatch.setattr("kdsearch.search.advisor.PEERS", 10)
    monkeypatch.setattr("kdsearch.search.window.BEST", 5)
    config = make_config(**{"trials_per_count": 60, "sample_counts": [50], **changes})
    outlines = []
    for kills in (0, 5):
        folder = tmp_path / str(kills)
        folder.mkdir()
        ledger = make_ledger(folder, config)
        run(ledger, config, workers=1, kills=kills)
        outlines.append(outline(ledger))
    assert outlines[0] == outlines[1]
