"""Nodes of a Ray cluster come and go under a sweep."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdsearch.ledger import TrialState
from tests.e2e.harness import Workplace
from tests.e2e.harness import done
from tests.services.cluster import RayCluster

FEW = ("sample_counts=[20]", "trials_per_count=5", "controls=[labels]", "confirm.top_k=0", "training.steps=3000")


@pytest.mark.long
def test_a_lost_node_is_not_held_against_the_trial_that_ran_there(tmp_path: Path) -> None:
    with RayCluster(2, {}) as cluster:
        workplace = Workplace(tmp_path, cluster.address)
        driver = workplace.start_sweep(*FEW)
        workplace.wait_for(done(2))
        cluster.remove_node()
        output, _ = driver.communicate(timeout=120)
        assert driver.returncode == 0, output
    sweep = workplace.load()
    assert len(sweep.records) == 6
    assert all(record.state is TrialState.COMPLETE and record.restarts == 0 for record in sweep.records)
    assert sum(record.losses for record in sweep.records) == 1
    status = workplace.status()
    assert status["interruptions"] == {"lost": 1}
    assert status["mlflow"] == {"runs": 6, "missing": 0, "duplicate": 0, "open": 0, "status": 0, "unknown": 0}


@pytest.mark.long
def test_a_node_that_joins_meanwhile_gets_trials(tmp_path: Path) -> None:
    with RayCluster(1, {}) as cluster:
        workplace = Workplace(tmp_path, cluster.address)
        # A trial must last longer than a worker takes to start: else the first one has taken it before that.
        driver = workplace.start_sweep(*FEW, "training.steps=25000", "resources.trials_per_worker=1")
        workplace.wait_for(done(1))
        assert len(cluster.trial_processes()) <= 1
        cluster.add_node()
        workplace.wait_for(lambda records: len(cluster.trial_processes()) == 2)
        output, _ = driver.communicate(timeout=120)
        assert driver.returncode == 0, output
    assert len(workplace.load().records) == 6
