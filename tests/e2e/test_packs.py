"""Real sweeps whose trials are trained in packs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from kdsearch.ledger import Kind
from kdsearch.ledger import Reason
from kdsearch.ledger import TrialRecord
from kdsearch.ledger import TrialState
from tests.e2e.harness import Workplace
from tests.e2e.harness import done

# Recipes and seeds follow from the sweep's seed and the trial's number alone, whatever ended before.
RANDOM = ("sampler=random", "sample_counts=[50]", "trials_per_count=20", "confirm.seeds=3", "training.steps=100")
OBJECTIVES = (
    "search_space=objectives",
    "search_space.parameters.alpha={low:0.1,high:1.0}",
    "search_space.parameters.learning_rate={low:0.01,high:0.1,log:true}",
)


def by_key(records: tuple[TrialRecord, ...]) -> dict[str, TrialRecord]:
    return {record.key: record for record in records}


@pytest.mark.slow
def test_a_packed_sweep_finds_what_one_of_single_trials_finds(tmp_path: Path, ray_address: str) -> None:
    """Every objective, controls and confirmations; the packed sweep is killed once and taken up again."""
    found = {}
    for size in (1, 4):
        folder = tmp_path / str(size)
        folder.mkdir()
        workplace = Workplace(folder, ray_address)
        words = (*RANDOM, *OBJECTIVES, f"resources.trials_per_worker={size}")
        if size > 1:
            driver = workplace.start_sweep(*words)
            workplace.wait_for(done(6))
            driver.kill()
            driver.communicate()
        workplace.sweep(*words)
        found[size] = by_key(workplace.load().records)
        status = workplace.status()
        assert status["mlflow"]["runs"] == len(found[size])
        assert (status["mlflow"]["missing"], status["mlflow"]["duplicate"], status["mlflow"]["open"]) == (0, 0, 0)
    single, packed = found[1], found[4]
    searched = [key for key, record in single.items() if record.kind is not Kind.CONFIRM]
    assert set(searched) <= set(packed)
    for key in searched:
        ours, theirs = packed[key], single[key]
        assert (ours.recipe, ours.seed, ours.state) == (theirs.recipe, theirs.seed, theirs.state)
        for name in ("val_nll", "train_loss", "val_ece"):
            assert ours.metrics[name] == pytest.approx(theirs.metrics[name], rel=1e-2, abs=1e-3), (key, name)
    # They were trained as one: the last digits differ.
    assert any(packed[key].metrics != single[key].metrics for key in searched)
    confirmed = [record for record in packed.values() if record.kind is Kind.CONFIRM]
    assert confirmed and all("test_noise_accuracy_0.3" in record.metrics for record in confirmed)


def test_in_a_pack_each_is_judged_and_fails_on_its_own(workplace: Workplace) -> None:
    """Half of the recipes diverge, the pruner takes more; every trial ends once, and those that remain are whole."""
    workplace.sweep(
        "sample_counts=[50]",
        "trials_per_count=20",
        "controls=[]",
        "confirm.top_k=0",
        "pruner=median",
        "max_failed_trials=null",
        "training.steps=200",
        "training.gradient_clip=null",
        "search_space.parameters.objective.choices=[mse]",
        "~search_space.parameters.temperature",
        "search_space.parameters.learning_rate={low:0.01,high:0.3,log:true}",
        "search_space.parameters.weight_decay.choices=[0.0,1.0e+4]",
        "resources.trials_per_worker=4",
        "resources.max_concurrent=8",
    )
    records = workplace.load().records
    assert len(records) == 20
    states = {state: [r for r in records if r.state is state] for state in TrialState}
    assert states[TrialState.COMPLETE] and states[TrialState.FAIL]
    assert all(record.reason is Reason.NON_FINITE for record in states[TrialState.FAIL])
    assert len(states[TrialState.COMPLETE]) + len(states[TrialState.PRUNED]) + len(states[TrialState.FAIL]) == 20
    for record in states[TrialState.COMPLETE]:
        assert all(math.isfinite(value) for value in record.metrics.values())
        assert record.recipe.training["weight_decay"] == 0.0
    assert workplace.status()["mlflow"]["open"] == 0
