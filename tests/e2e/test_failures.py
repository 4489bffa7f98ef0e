from __future__ import annotations

from collections import Counter

import pytest

from kdsearch.ledger import Kind
from kdsearch.ledger import Reason
from kdsearch.ledger import TrialState
from tests.e2e.harness import Workplace

QUICK = ("controls=[labels]", "confirm.top_k=0", "trials_per_count=2")


def test_a_diverging_trial_fails_with_its_reason_and_the_sweep_goes_on(workplace: Workplace) -> None:
    shown = workplace.sweep(
        *QUICK,
        "sample_counts=[20]",
        "trials_per_count=6",
        "+search_space.parameters.learning_rate={choices: [0.05, 1e30]}",
        "training.gradient_clip=null",
    )
    sweep = workplace.load()
    failed = [record for record in sweep.records if record.state is TrialState.FAIL]
    assert failed and all(record.recipe.training["learning_rate"] == 1e30 for record in failed)
    assert {record.reason for record in failed} == {Reason.NON_FINITE}
    assert any(record.state is TrialState.COMPLETE for record in sweep.records if record.kind is Kind.SEARCH)
    assert "non_finite" in shown.stdout
    status = workplace.status()
    assert status["state"] == "complete"
    assert status["failures"] == {"non_finite": len(failed)}
    assert status["mlflow"]["runs"] == len(sweep.records) and status["mlflow"]["open"] == 0


def test_a_trial_that_kills_its_worker_fails_after_max_restarts_and_the_sweep_ends(workplace: Workplace) -> None:
    workplace.sweep(
        *QUICK, "student=custom", "student._target_=tests.e2e.models.Killer", "max_restarts=1", "trials_per_count=1"
    )
    records = workplace.load().records
    states = Counter((record.sample_count, record.state, record.reason, record.restarts) for record in records)
    assert states == {(20, TrialState.FAIL, Reason.CRASHED, 1): 2, (50, TrialState.COMPLETE, None, 0): 2}
    assert workplace.status()["mlflow"]["open"] == 0


@pytest.mark.slow
def test_user_code_that_raises_fails_with_its_traceback_and_stops_the_sweep_when_too_often(
    workplace: Workplace,
) -> None:
    words = (*QUICK, "student=custom", "student._target_=tests.e2e.models.Raiser", "max_failed_trials=1")
    workplace.sweep(*words, expect=3)
    sweep = workplace.load()
    failed = [record for record in sweep.records if record.state is TrialState.FAIL]
    # Those that are out when the second one fails end as they end; nothing goes out after that.
    assert 2 <= len(failed) <= 4
    for record in failed:
        assert record.reason is Reason.USER_CODE
        assert record.error is not None and "this student does not like twenty samples" in record.error
    assert sweep.state == "stopped"
    assert workplace.status()["mlflow"]["open"] == 0
    assert not any(record.state is TrialState.RUNNING for record in sweep.records)
