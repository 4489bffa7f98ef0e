from __future__ import annotations

import signal
from collections import Counter
from dataclasses import replace

import pytest

from kdsearch.ledger import TrialState
from kdsearch.ledger import open_ledger
from tests.e2e.harness import TARGET
from tests.e2e.harness import Workplace
from tests.e2e.harness import done


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_an_interrupted_sweep_goes_on_to_its_target(
    workplace: Workplace, number: signal.Signals, exit_code: int
) -> None:
    driver = workplace.start_sweep("training.steps=400")
    workplace.wait_for(done(3))
    driver.send_signal(number)
    output, _ = driver.communicate(timeout=60)
    assert driver.returncode == exit_code, output
    interrupted = workplace.load()
    states = Counter(record.state for record in interrupted.records)
    assert interrupted.state == "interrupted"
    assert states[TrialState.RUNNING] == 0 and 3 <= states[TrialState.COMPLETE] < TARGET
    assert "resume digits" in output

    workplace.sweep("training.steps=400")
    records = workplace.load().records
    assert len(records) == TARGET
    assert all(record.state is TrialState.COMPLETE for record in records)
    status = workplace.status()
    assert status["state"] == "complete"
    assert status["mlflow"]["runs"] == TARGET
    assert (status["mlflow"]["missing"], status["mlflow"]["duplicate"], status["mlflow"]["open"]) == (0, 0, 0)
    assert [attempt["outcome"] for attempt in status["attempts"]] == [f"interrupted by {number.name}", "complete"]


@pytest.mark.slow
def test_a_running_trial_goes_on_from_its_checkpoint(workplace: Workplace) -> None:
    """A trial too long to end is stopped in the middle; its curve goes on where it was."""
    quick = ("sample_counts=[50]", "trials_per_count=1", "controls=[]", "confirm.top_k=0")
    # With a pruner the first eighth of the training is a decision point, which the ledger shows.
    words = (*quick, "training.evaluations=200", "pruner=median")
    driver = workplace.start_sweep(*words, "training.steps=20000")
    workplace.wait_for(lambda records: any(workplace.load().studies[50].trials[0].intermediate_values for _ in records))
    driver.send_signal(signal.SIGTERM)
    output, _ = driver.communicate(timeout=60)
    assert driver.returncode == 143, output
    checkpoints = list((workplace.folder / "kdsearch-data" / "sweeps" / "digits" / "checkpoints").rglob("*.pt"))
    assert len(checkpoints) == 1

    workplace.sweep(*words, "training.steps=20000")
    sweep = workplace.load()
    (record,) = sweep.records
    assert record.state is TrialState.COMPLETE and record.attempts == (1, 2)
    series = open_ledger(sweep.ledger).series(record.key)
    interrupted = sweep.record.attempts[0].ended
    assert interrupted is not None
    assert series[0].time < 1000 * interrupted.timestamp() < series[-1].time
    assert [point.epoch for point in series] == sorted({point.epoch for point in series})
    assert not list((workplace.folder / "kdsearch-data" / "sweeps" / "digits" / "checkpoints").rglob("*.pt"))


@pytest.mark.slow
def test_a_killed_driver_leaves_nothing_behind(workplace: Workplace) -> None:
    driver = workplace.start_sweep()
    workplace.wait_for(done(2))
    driver.kill()
    driver.communicate()
    assert workplace.load().state == "interrupted"

    workplace.sweep()
    records = workplace.load().records
    assert len(records) == TARGET
    assert all(record.state is TrialState.COMPLETE for record in records)
    status = workplace.status()
    assert (status["mlflow"]["runs"], status["mlflow"]["open"]) == (TARGET, 0)
    assert (status["mlflow"]["missing"], status["mlflow"]["duplicate"]) == (0, 0)
    assert [attempt["outcome"] for attempt in status["attempts"]] == ["died", "complete"]


@pytest.mark.slow
def test_a_result_that_died_with_the_driver_is_worked_out_again_from_the_checkpoint(
    workplace: Workplace,
) -> None:
    quick = ("sample_counts=[50]", "trials_per_count=1", "controls=[]", "confirm.top_k=0", "training.steps=400")
    dying = replace(workplace, module="tests.e2e.dying")
    died = dying.start_sweep(*quick)
    output, _ = died.communicate(timeout=120)
    assert died.returncode == -signal.SIGKILL, output
    (record,) = workplace.load().records
    assert record.state is TrialState.RUNNING
    checkpoints = workplace.folder / "kdsearch-data" / "sweeps" / "digits" / "checkpoints"
    assert list(checkpoints.rglob("*.pt"))

    workplace.sweep(*quick)
    (record,) = workplace.load().records
    assert record.state is TrialState.COMPLETE and record.attempts == (1, 2)
    assert not list(checkpoints.rglob("*.pt"))


@pytest.mark.slow
def test_a_second_driver_is_told_who_is_at_work(workplace: Workplace) -> None:
    driver = workplace.start_sweep("training.steps=4000")
    try:
        workplace.wait_for(lambda records: len(records) >= 1)
        refused = workplace.sweep("training.steps=4000", expect=4)
        assert "another driver is at work on digits" in refused.stderr
        assert str(driver.pid) in refused.stderr
        assert driver.poll() is None
    finally:
        driver.kill()
        driver.communicate()


@pytest.mark.slow
def test_stop_ends_it_resumable(workplace: Workplace) -> None:
    driver = workplace.start_sweep("training.steps=2000")
    workplace.wait_for(done(1))
    workplace.run("stop", "digits")
    output, _ = driver.communicate(timeout=120)
    assert driver.returncode == 0, output
    sweep = workplace.load()
    assert sweep.state == "stopped"
    assert not any(record.state is TrialState.RUNNING for record in sweep.records)
