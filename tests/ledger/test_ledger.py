from __future__ import annotations

import sqlite3
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from sqlalchemy import event

from kdsearch.errors import InputError
from kdsearch.ledger import Kind
from kdsearch.ledger import Ledger
from kdsearch.ledger import NoLedgerError
from kdsearch.ledger import Point
from kdsearch.ledger import Reason
from kdsearch.ledger import StudyRow
from kdsearch.ledger import TrialResult
from kdsearch.ledger import TrialState
from kdsearch.ledger import open_ledger
from kdsearch.recipe import Recipe

RECIPE = Recipe("kl", 0.7, {"temperature": 3.0})
SPEC = {"recipe": RECIPE.to_dict(), "seed": 1, "subset_seed": 2}
SERIES = [Point(epoch, 1000 + epoch, {"val_accuracy": epoch / 10}) for epoch in (1, 2, 3)]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db", create=True)
    ledger.create_sweep("digits", {"name": "digits"}, 10)
    return ledger


@pytest.fixture
def study(ledger: Ledger) -> StudyRow:
    return ledger.open_study("digits/n=50", Kind.SEARCH, 50, maximize=True)


def start(ledger: Ledger, study: StudyRow) -> int:
    row = optuna.trial.create_trial(
        state=optuna.trial.TrialState.RUNNING, params={"alpha": 0.7}, distributions={"alpha": FloatDistribution(0, 1)}
    )
    return ledger.start_trial(study, len(ledger.study_trials(study)), SPEC, row, attempt=1).number


def test_a_trial_comes_back_as_it_was_written(ledger: Ledger, study: StudyRow) -> None:
    number = start(ledger, study)
    ledger.finish_trial("digits", study, number, TrialResult(TrialState.COMPLETE, 0.9, {"val_accuracy": 0.9}), SERIES)
    (record,) = ledger.trials("digits")
    assert record.key == "digits/n=50#0"
    assert record.recipe == RECIPE
    assert record.params == {"alpha": 0.7}
    assert (record.state, record.value, record.metrics) == (TrialState.COMPLETE, 0.9, {"val_accuracy": 0.9})
    assert record.started is not None and record.ended is not None and record.started <= record.ended
    assert ledger.series(record.key) == SERIES
    assert ledger.all_series("digits") == {record.key: SERIES}


def test_a_new_trial_is_whole_in_one_commit(ledger: Ledger, study: StudyRow) -> None:
    commits: list[str] = []
    written: list[str] = []

    def on_statement(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(("SELECT", "PRAGMA")):
            written.append(statement)

    def on_commit(_connection: object) -> None:
        if written:
            commits.append("; ".join(written))
            written.clear()

    event.listen(ledger.engine, "before_cursor_execute", on_statement)
    event.listen(ledger.engine, "commit", on_commit)
    start(ledger, study)
    assert len(commits) == 1
    assert "trial_params" in commits[0] and "trial_user_attributes" in commits[0]


def test_finishing_twice_keeps_the_first(ledger: Ledger, study: StudyRow) -> None:
    number = start(ledger, study)
    ledger.finish_trial("digits", study, number, TrialResult(TrialState.COMPLETE, 0.9), SERIES)
    again = ledger.finish_trial("digits", study, number, TrialResult(TrialState.COMPLETE, 0.1), [])
    assert again.value == 0.9
    assert ledger.series(again.key) == SERIES


def test_a_failure_keeps_its_reason(ledger: Ledger, study: StudyRow) -> None:
    number = start(ledger, study)
    result = TrialResult(TrialState.FAIL, reason=Reason.NON_FINITE, error="at step 3")
    record = ledger.finish_trial("digits", study, number, result, [])
    assert (record.state, record.reason, record.error, record.value) == (
        TrialState.FAIL,
        Reason.NON_FINITE,
        "at step 3",
        None,
    )


def test_a_suspended_trial_waits_and_goes_on_in_its_row(ledger: Ledger, study: StudyRow) -> None:
    number = start(ledger, study)
    waiting = ledger.suspend_trial(study, number)
    assert waiting.state is TrialState.WAITING
    running = ledger.continue_trial(study, waiting, attempt=2)
    assert (running.state, running.number, running.attempts) == (TrialState.RUNNING, number, (1, 2))
    assert len(ledger.trials("digits")) == 1


def test_a_result_that_was_not_told_is_found(ledger: Ledger, study: StudyRow) -> None:
    number = start(ledger, study)
    assert ledger.untold_result(study, number) is None
    trial_id = ledger.storage.get_trial_id_from_study_id_trial_number(study.id, number)
    result = TrialResult(TrialState.COMPLETE, 0.8, {"val_accuracy": 0.8})
    ledger.storage.set_trial_user_attr(trial_id, "kdsearch:result", result.to_dict())
    assert ledger.untold_result(study, number) == result


def test_a_study_left_without_its_attributes_gets_them(ledger: Ledger) -> None:
    """A driver died between Optuna's two writes; its trials must not be invisible."""
    ledger.storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "digits/confirm/n=20")
    study = ledger.open_study("digits/confirm/n=20", Kind.CONFIRM, 20, maximize=True)
    start(ledger, study)
    assert [record.kind for record in ledger.trials("digits")] == [Kind.CONFIRM]


def test_sweeps_share_a_ledger_and_see_only_their_own(ledger: Ledger, study: StudyRow) -> None:
    start(ledger, study)
    ledger.create_sweep("digits2", {}, 5)
    other = ledger.open_study("digits2/n=50", Kind.SEARCH, 50, maximize=True)
    start(ledger, other)
    start(ledger, other)
    assert [len(ledger.trials(name)) for name in ("digits", "digits2")] == [1, 2]
    assert [sweep.name for sweep in ledger.sweeps()] == ["digits", "digits2"]


def test_creating_a_sweep_again_gives_the_one_that_is_there(ledger: Ledger) -> None:
    first = ledger.sweep("digits")
    assert first is not None
    assert ledger.create_sweep("digits", {"name": "other"}, 99) == first


def test_opening_reads_what_another_process_wrote(tmp_path: Path, ledger: Ledger, study: StudyRow) -> None:
    start(ledger, study)
    assert len(open_ledger(f"sqlite:///{tmp_path}/ledger.db").trials("digits")) == 1


def test_no_ledger_is_made_by_looking_for_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no ledger is there"):
        open_ledger(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_no_ledger_and_stays_empty(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    with pytest.raises(NoLedgerError, match="holds no kdsearch ledger"):
        open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    assert [(file.name, file.stat().st_size) for file in tmp_path.iterdir()] == [("ledger.db", 0)]


def test_a_newer_ledger_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    ledger.close()
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("UPDATE kdsearch_meta SET value = '99' WHERE key = 'version'")
    with pytest.raises(InputError, match="newer kdsearch"):
        open_ledger(f"sqlite:///{tmp_path}/ledger.db")


def test_a_database_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/plain.db")
    before = (tmp_path / "plain.db").read_bytes()
    with pytest.raises(NoLedgerError, match="holds no kdsearch ledger"):
        open_ledger(f"sqlite:///{tmp_path}/plain.db")
    assert (tmp_path / "plain.db").read_bytes() == before
