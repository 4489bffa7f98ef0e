"""What is written here into Optuna's tables is what Optuna would have written, and each reads the other's."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import optuna
import pytest
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState
from sqlalchemy import text

from kdsearch.ledger import rows

SPACE: dict[str, BaseDistribution] = {
    "objective": CategoricalDistribution(["kl", "mse"]),
    "temperature": FloatDistribution(1, 40, log=True),
    "standardize": CategoricalDistribution([False, True]),
}
TABLES = [f"trial_{name}" for name in ("params", "values", "user_attributes", "system_attributes")]

Ways = Callable[[RDBStorage, int], None]


def template() -> FrozenTrial:
    return optuna.trial.create_trial(
        state=TrialState.RUNNING,
        params={"objective": "mse", "temperature": 4.123456789012345, "standardize": True},
        distributions=SPACE,
        user_attrs={"kdsearch:spec": {"seed": 2**40, "recipe": {"teacher": None}}, "kdsearch:attempts": [1]},
        system_attrs={"relative_params:0": '{"temperature": 4.0}'},
    )


def by_optuna(storage: RDBStorage, study: int) -> None:
    for value in (0.75, math.inf):
        trial_id = storage.create_new_trial(study, template_trial=template())
        storage.set_trial_user_attr(trial_id, "kdsearch:decisions", [1])
        storage.set_trial_user_attr(trial_id, "kdsearch:decisions", [1, 2])
        storage.set_trial_state_values(trial_id, TrialState.WAITING)
        storage.set_trial_state_values(trial_id, TrialState.RUNNING)
        storage.set_trial_intermediate_value(trial_id, 1, 0.5)
        storage.set_trial_intermediate_value(trial_id, 2, math.nan)
        storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [value])


def by_rows(storage: RDBStorage, study: int) -> None:
    for value in (0.75, math.inf):
        trial_id, _ = rows.insert_trial(storage.engine, study, template())
        with storage.engine.begin() as connection:
            rows.write_attribute(connection, trial_id, "kdsearch:decisions", [1])
            rows.write_attribute(connection, trial_id, "kdsearch:decisions", [1, 2])
            rows.set_state(connection, trial_id, TrialState.WAITING)
            rows.set_state(connection, trial_id, TrialState.RUNNING)
            rows.write_intermediate_value(connection, trial_id, 1, 0.5)
            rows.write_intermediate_value(connection, trial_id, 2, math.nan)
            trial = rows.select_trial(connection, trial_id)
            trial.state, trial.value, trial.datetime_complete = TrialState.COMPLETE, value, datetime.now()
            rows.end_trial(connection, trial)


def written(folder: Path, way: Ways) -> RDBStorage:
    folder.mkdir()
    storage = RDBStorage(f"sqlite:///{folder}/ledger.db")
    for name in ("other", "study"):
        study = storage.create_new_study([StudyDirection.MAXIMIZE], name)
        storage.create_new_trial(study, template_trial=template())
    way(storage, study)
    return storage


def outline(trial: FrozenTrial) -> tuple[object, ...]:
    """All but the times; as text, since nan is not equal to itself."""
    attributes = sorted(trial.user_attrs.items()), sorted(trial.system_attrs.items())
    values = trial.values, sorted(trial.intermediate_values.items())
    return (trial.number, trial.state, trial.params, trial.distributions, attributes, repr(values))


@pytest.fixture
def storages(tmp_path: Path) -> list[RDBStorage]:
    return [written(tmp_path / way.__name__, way) for way in (by_optuna, by_rows)]


def test_the_tables_hold_what_optuna_would_have_written(storages: list[RDBStorage]) -> None:
    contents = []
    for storage in storages:
        with storage.engine.connect() as connection:
            tables = [connection.execute(text(f"SELECT * FROM {table} ORDER BY 1")).all() for table in TABLES]
            trials = connection.execute(text("SELECT trial_id, number, study_id, state FROM trials ORDER BY 1")).all()
            contents.append((tables, trials))
    assert contents[0] == contents[1]


def test_each_reads_the_others_rows(storages: list[RDBStorage]) -> None:
    read = []
    for storage in storages:
        study = storage.get_study_id_from_name("study")
        with storage.engine.connect() as connection:
            ours = rows.select_trials(connection, [study], whole=True)[study]
        theirs = storage.get_all_trials(study)
        assert [(t.datetime_start, t.datetime_complete) for t in ours] == [
            (t.datetime_start, t.datetime_complete) for t in theirs
        ]
        read += [[outline(trial) for trial in trials] for trials in (ours, theirs)]
    assert len(read[0]) == 3 and all(trials == read[0] for trials in read)


def test_times_are_optunas(storages: list[RDBStorage]) -> None:
    before = datetime.now()
    storage = storages[0]
    study = storage.get_study_id_from_name("study")
    trial_id, number = rows.insert_trial(storage.engine, study, template())
    trial = storage.get_trial(trial_id)
    assert number == trial.number == 3
    assert trial.datetime_start is not None and before <= trial.datetime_start <= datetime.now()
