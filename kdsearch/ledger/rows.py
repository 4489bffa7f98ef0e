"""A sweep's rows in Optuna's own tables, read and written by plain SQL.

Optuna's storage reads a trial with eight queries and writes one with forty; at ten thousand trials that is what
`status`, a resumed sweep and its driver would wait for. What is written here is what Optuna's storage would have
written, and its own tools read it (`tests/ledger/test_rows.py` compares the two). Its storage refuses a database
whose schema is not the one that its tables describe.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial
    from optuna.trial import TrialState
    from sqlalchemy import ColumnElement
    from sqlalchemy import Connection
    from sqlalchemy import Engine
    from sqlalchemy import FromClause
    from sqlalchemy import Row
    from sqlalchemy import Select


def select_trials(connection: Connection, studies: Collection[int], *, whole: bool) -> dict[int, list[FrozenTrial]]:
    """The trials of each study, by its id, in the order of their numbers.

    What only samplers and pruners want (attributes of the system, intermediate values) is left out unless `whole`.
    """
    trials = _tables()["trials"]
    found: dict[int, list[FrozenTrial]] = {study: [] for study in studies}
    for row, trial in _select(connection, trials.c.study_id.in_(studies), whole=whole):
        found[row.study_id].append(trial)
    for rows in found.values():
        rows.sort(key=lambda trial: trial.number)
    return found


def select_trial(connection: Connection, trial_id: int) -> FrozenTrial:
    """One trial, without what only samplers and pruners want."""
    ((_, trial),) = _select(connection, _tables()["trials"].c.trial_id == trial_id, whole=False)
    return trial


def insert_trial(
    engine: Engine, study: int, trial: FrozenTrial, fence: Callable[[Connection], None] = lambda connection: None
) -> tuple[int, int]:
    """Write a trial that has just begun, in one commit; its id and its number, the study's next.

    `fence` is called with the transaction before anything is written in it.
    """
    from sqlalchemy import insert
    from sqlalchemy import select
    from sqlalchemy import update

    tables = _tables()
    trials = tables["trials"]
    with engine.begin() as connection:
        fence(connection)
        row = {"study_id": study, "state": trial.state, "datetime_start": _utc(trial.datetime_start)}
        trial_id = connection.execute(insert(trials).values(row)).inserted_primary_key[0]  # type: ignore[index]
        earlier = select(trials.c.number).where(trials.c.study_id == study, trials.c.trial_id < trial_id)
        last = connection.execute(earlier.order_by(trials.c.trial_id.desc()).limit(1)).scalar()
        number = 0 if last is None else last + 1
        connection.execute(update(trials).where(trials.c.trial_id == trial_id).values(number=number))
        _insert_all(connection, tables["trial_params"], _param_rows(trial_id, trial))
        for name, attributes in (
            ("trial_user_attributes", trial.user_attrs),
            ("trial_system_attributes", trial.system_attrs),
        ):
            _insert_all(connection, tables[name], _attribute_rows(trial_id, attributes))
    return trial_id, number


def end_trial(connection: Connection, trial: FrozenTrial) -> None:
    """Write a trial's final state, when it was reached, and its value if it has one."""
    from optuna.storages._rdb.models import TrialValueModel
    from sqlalchemy import update

    tables = _tables()
    if trial.value is not None:
        stored, kind = TrialValueModel.value_to_stored_repr(trial.value)
        row = {"trial_id": trial._trial_id, "objective": 0, "value": stored, "value_type": kind}
        _replace(connection, tables["trial_values"], row, ("trial_id", "objective"))
    ended = update(tables["trials"]).where(tables["trials"].c.trial_id == trial._trial_id)
    connection.execute(ended.values(state=trial.state, datetime_complete=_utc(trial.datetime_complete)))


def set_state(connection: Connection, trial_id: int, state: TrialState) -> None:
    """Write the state of a trial that has not ended; as Optuna has it, one that is RUNNING again has begun now."""
    from optuna.trial import TrialState
    from sqlalchemy import update

    trials = _tables()["trials"]
    values = {"state": state} | ({"datetime_start": _utc(datetime.now())} if state is TrialState.RUNNING else {})
    connection.execute(update(trials).where(trials.c.trial_id == trial_id).values(values))


def write_attribute(connection: Connection, trial_id: int, key: str, value: Any) -> None:
    (row,) = _attribute_rows(trial_id, {key: value})
    _replace(connection, _tables()["trial_user_attributes"], row, ("trial_id", "key"))


def write_intermediate_value(connection: Connection, trial_id: int, step: int, value: float) -> None:
    from optuna.storages._rdb.models import TrialIntermediateValueModel

    stored, kind = TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
    row = {"trial_id": trial_id, "step": step, "intermediate_value": stored, "intermediate_value_type": kind}
    _replace(connection, _tables()["trial_intermediate_values"], row, ("trial_id", "step"))


def _tables() -> Mapping[str, Any]:
    from optuna.storages._rdb.models import BaseModel

    return BaseModel.metadata.tables


def _select(
    connection: Connection, condition: ColumnElement[bool], *, whole: bool
) -> Iterator[tuple[Row[Any], FrozenTrial]]:
    from optuna.storages._rdb.models import TrialIntermediateValueModel
    from optuna.storages._rdb.models import TrialValueModel
    from optuna.trial import FrozenTrial
    from sqlalchemy import select

    tables = _tables()
    trials = tables["trials"]

    def by_trial(name: str) -> dict[int, list[Row[Any]]]:
        table = tables[name]
        return _by_trial(connection, select(table).join(trials).where(condition), table)

    params, values, attributes = map(by_trial, ("trial_params", "trial_values", "trial_user_attributes"))
    system = by_trial("trial_system_attributes") if whole else {}
    steps = by_trial("trial_intermediate_values") if whole else {}
    for row in connection.execute(select(trials).where(condition)):
        asked = {
            p.param_name: (_distribution(p.distribution_json), p.param_value) for p in params.get(row.trial_id, ())
        }
        told = sorted(values.get(row.trial_id, ()), key=lambda value: value.objective)
        trial = FrozenTrial(
            number=row.number,
            state=row.state,
            value=None,
            values=[TrialValueModel.stored_repr_to_value(v.value, v.value_type) for v in told] or None,
            datetime_start=_local(row.datetime_start),
            datetime_complete=_local(row.datetime_complete),
            params={name: distribution.to_external_repr(value) for name, (distribution, value) in asked.items()},
            distributions={name: distribution for name, (distribution, _) in asked.items()},
            user_attrs={a.key: json.loads(a.value_json) for a in attributes.get(row.trial_id, ())},
            system_attrs={a.key: json.loads(a.value_json) for a in system.get(row.trial_id, ())},
            intermediate_values={
                s.step: TrialIntermediateValueModel.stored_repr_to_intermediate_value(
                    s.intermediate_value, s.intermediate_value_type
                )
                for s in steps.get(row.trial_id, ())
            },
            trial_id=row.trial_id,
        )
        yield row, trial


def _by_trial(connection: Connection, query: Select[Any], table: FromClause) -> dict[int, list[Row[Any]]]:
    """The rows of each trial, in the order in which they were written."""
    found: dict[int, list[Row[Any]]] = {}
    for row in connection.execute(query.order_by(*table.primary_key)):
        found.setdefault(row.trial_id, []).append(row)
    return found


@functools.lru_cache(maxsize=1024)
def _distribution(text: str) -> BaseDistribution:
    """Shared by all trials that were asked for it: distributions are never changed."""
    from optuna.distributions import json_to_distribution

    return json_to_distribution(text)


def _param_rows(trial_id: int, trial: FrozenTrial) -> list[dict[str, Any]]:
    from optuna.distributions import distribution_to_json

    return [
        {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": trial.distributions[name].to_internal_repr(value),
            "distribution_json": distribution_to_json(trial.distributions[name]),
        }
        for name, value in trial.params.items()
    ]


def _attribute_rows(trial_id: int, attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"trial_id": trial_id, "key": key, "value_json": json.dumps(value)} for key, value in attributes.items()]


def _insert_all(connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    from sqlalchemy import insert

    if rows:
        connection.execute(insert(table), list(rows))


def _replace(connection: Connection, table: Any, row: Mapping[str, Any], keys: Iterable[str]) -> None:
    """Write `row` in the place of the one with the same `keys`, if there is one."""
    from sqlalchemy import insert
    from sqlalchemy import update

    same = [table.c[key] == row[key] for key in keys]
    if not connection.execute(update(table).where(*same).values(row)).rowcount:
        connection.execute(insert(table).values(row))


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def _local(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
