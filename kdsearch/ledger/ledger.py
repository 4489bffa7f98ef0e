"""The ledger: an Optuna storage plus our tables. The single source of truth about every sweep.

One driver writes a sweep at a time (see `lease.py`); anybody may read. A trial's row is written in one commit when it
starts, with all its parameters and attributes, one per decision point, and one when it ends. (Earlier versions wrote
the end in three: a row that has a result but no final state was finished and only has to be told.)
"""

from __future__ import annotations

import contextlib
import functools
import json
import random
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any
from typing import Concatenate
from typing import ParamSpec
from typing import TypeVar

from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.ledger import rows
from kdsearch.ledger.process import ProcessIdentity
from kdsearch.ledger.records import AttemptRecord
from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import Point
from kdsearch.ledger.records import Reason
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import SweepState
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.recipe import Recipe
from kdsearch.sqlite import create_whole
from kdsearch.sqlite import sqlite_file

if TYPE_CHECKING:
    import optuna
    from sqlalchemy import Connection
    from sqlalchemy import Engine
    from sqlalchemy import Row

SPEC_ATTR = "kdsearch:spec"
ATTEMPTS_ATTR = "kdsearch:attempts"
RESTARTS_ATTR = "kdsearch:restarts"
LOSSES_ATTR = "kdsearch:losses"
RESULT_ATTR = "kdsearch:result"
DECISIONS_ATTR = "kdsearch:decisions"
STUDY_ATTR = "kdsearch:study"

TRIES_TO_CREATE = 3

BUSY_TIMEOUT = 60
"""Seconds that SQLite waits for another process's lock; readers such as the MLflow UI and `status` hold it briefly."""


@dataclass(frozen=True)
class StudyRow:
    """One Optuna study of a sweep, and its storage id."""

    id: int
    name: str
    kind: Kind
    sample_count: int
    space: str | None = None
    """The search space, as `Space.describe` tells it; None where nothing is searched."""


@dataclass(frozen=True)
class Decision:
    """What the pruner said of a running trial: at `value` after decision `step`, and what it noted (`system_attrs`)."""

    step: int
    value: float
    prune: bool
    system_attrs: Mapping[str, Any]


class NoLedgerError(InputError):
    """No ledger is at a place: no file or database, an empty one, or one with something else in it."""


P = ParamSpec("P")
T = TypeVar("T")


def _waited_out(method: Callable[Concatenate[Ledger, P], T]) -> Callable[Concatenate[Ledger, P], T]:
    """The method, called as often as it takes (see `Ledger.wait_out`); so it must give the same when called again."""

    @functools.wraps(method)
    def call(self: Ledger, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._insist(lambda: method(self, *args, **kwargs))

    return call


def decisions_of(trial: optuna.trial.FrozenTrial) -> list[Decision]:
    return [Decision(**decision) for decision in trial.user_attrs.get(DECISIONS_ATTR, ())]


@dataclass(frozen=True)
class TrialResult:
    """How a trial ended: what the worker found, or why there is nothing to find."""

    state: TrialState
    value: float | None = None
    metrics: Mapping[str, float] | None = None
    reason: Reason | None = None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "state": self.state.value,
            "value": self.value,
            "metrics": dict(self.metrics or {}),
            "reason": self.reason.value if self.reason else None,
            "error": self.error,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrialResult:
        reason = Reason(data["reason"]) if data["reason"] else None
        return cls(TrialState(data["state"]), data["value"], data["metrics"], reason, data["error"])


def open_ledger(url: str, *, create: bool = False) -> Ledger:
    """Open the ledger at a database `url`; nothing is written there without `create`.

    Raises:
        NoLedgerError: there is none, and `create` is false.
        InputError: it can't be reached, or a newer kdsearch wrote it.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import IntegrityError
    from sqlalchemy.exc import ProgrammingError
    from sqlalchemy.exc import SQLAlchemyError

    path = sqlite_file(url)
    if path is not None and not create and not path.is_file():
        raise NoLedgerError([Problem("ledger", url, "no ledger is there; has a sweep been started with this storage?")])
    try:
        if not create:
            _check_is_ledger(url)
        elif path is not None:
            create_whole(path, lambda part: Ledger(_open_storage(part, create=True), create=True).close())
        for _ in range(TRIES_TO_CREATE if create else 0):
            # Drivers that find an empty database at the same moment get in each other's way while they make tables.
            with contextlib.suppress(IntegrityError, ProgrammingError, StorageInternalError):
                return Ledger(_open_storage(url, create=create), create=create)
            time.sleep(random.uniform(0.2, 1.0))
        return Ledger(_open_storage(url, create=create), create=create)
    except (SQLAlchemyError, ImportError, OSError) as error:
        from kdsearch.config.secrets import mask_url

        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise InputError([Problem("ledger", mask_url(url), f"can't be opened: {cause}")]) from None


def result_of(trial: optuna.trial.FrozenTrial) -> TrialResult | None:
    """What the row says of how the trial ended; None where it has no result yet."""
    result = trial.user_attrs.get(RESULT_ATTR)
    return None if result is None else TrialResult.from_dict(result)


class Ledger:
    def __init__(self, storage: optuna.storages.RDBStorage, *, create: bool) -> None:
        from kdsearch.ledger import tables

        self.storage = storage
        self.engine: Engine = storage.engine
        self._ids: dict[tuple[int, int], int] = {}
        """Of trials that were written or read here, by study and number."""
        self._insist: Callable[[Callable[[], Any]], Any] = lambda call: call()
        self._fence: Callable[[Connection], None] = lambda connection: None
        self._is_unsure = False
        """Whether the last new row was sent but not acknowledged."""
        if create:
            tables.metadata.create_all(self.engine)
        self._check_version(create)

    def wait_out(self, insist: Callable[[Callable[[], Any]], Any]) -> None:
        """From now on make every call through `insist`, which may repeat it until the database answers."""
        self._insist = insist

    def fence(self, fence: Callable[[Connection], None]) -> None:
        """From now on call `fence` first in every transaction that writes a sweep or its trials; it may raise."""
        self._fence = fence

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self.engine.begin() as connection:
            self._fence(connection)
            yield connection

    def close(self) -> None:
        self.storage.remove_session()
        self.engine.dispose()

    def _check_version(self, create: bool) -> None:
        from sqlalchemy import insert
        from sqlalchemy import inspect
        from sqlalchemy import select

        from kdsearch.ledger import tables

        there = inspect(self.engine)
        self._has_search_time = there.has_table(tables.search_time.name)
        """Not in a ledger that an earlier version made, before a sweep goes on in it."""
        with self.engine.begin() as connection:
            version = connection.execute(select(tables.meta.c.value).where(tables.meta.c.key == "version")).scalar()
            if version is None and create:
                connection.execute(insert(tables.meta).values(key="version", value=str(tables.SCHEMA_VERSION)))
            elif version is not None and int(version) > tables.SCHEMA_VERSION:
                versions = f"ledger version {version}, this one reads {tables.SCHEMA_VERSION}"
                problem = Problem("ledger", _shown(self.engine), f"was written by a newer kdsearch ({versions})")
                raise InputError([problem])

    # Sweeps

    @_waited_out
    def create_sweep(self, name: str, config: Mapping[str, Any], target: int) -> SweepRecord:
        """Register a sweep; when another driver did so in the same instant, the one that is there."""
        from sqlalchemy import insert
        from sqlalchemy.exc import IntegrityError

        from kdsearch.ledger import tables

        try:
            with self.engine.begin() as connection:
                connection.execute(
                    insert(tables.sweep).values(
                        name=name,
                        uid=uuid.uuid4().hex,
                        config=json.dumps(config),
                        target=target,
                        created=_now(),
                        state=SweepState.INTERRUPTED.value,
                        teacher="{}",
                        heartbeat=0,
                        stop_requested=False,
                    )
                )
        except IntegrityError:
            pass
        record = self.sweep(name)
        assert record is not None
        return record

    @_waited_out
    def update_sweep(
        self,
        name: str,
        *,
        config: Mapping[str, Any] | None = None,
        target: int | None = None,
        state: SweepState | None = None,
        teacher: Mapping[str, Any] | None = None,
    ) -> None:
        from sqlalchemy import update

        from kdsearch.ledger import tables

        values: dict[str, Any] = {}
        if config is not None:
            values["config"] = json.dumps(config)
        if target is not None:
            values["target"] = target
        if state is not None:
            values["state"] = state.value
        if teacher is not None:
            values["teacher"] = json.dumps(teacher)
        with self._writing() as connection:
            connection.execute(update(tables.sweep).where(tables.sweep.c.name == name).values(**values))

    @_waited_out
    def sweep(self, name: str) -> SweepRecord | None:
        return next(iter(self._sweeps(name)), None)

    def sweeps(self) -> list[SweepRecord]:
        return self._sweeps(None)

    def _sweeps(self, name: str | None) -> list[SweepRecord]:
        from sqlalchemy import select

        from kdsearch.ledger import tables

        query = select(tables.sweep).order_by(tables.sweep.c.created)
        attempts = select(tables.attempt).order_by(tables.attempt.c.number)
        if name is not None:
            query = query.where(tables.sweep.c.name == name)
            attempts = attempts.where(tables.attempt.c.sweep == name)
        with self.engine.connect() as connection:
            sweeps = connection.execute(query).all()
            attempt_rows = connection.execute(attempts).all()
            searched = _search_seconds(connection) if self._has_search_time else {}
        return [
            _sweep_record(row, [a for a in attempt_rows if a.sweep == row.name], searched.get(row.name, 0.0))
            for row in sweeps
        ]

    def request_stop(self, name: str) -> None:
        """Ask the driver of a sweep to stop at the next checkpoint; it looks with every heartbeat."""
        from sqlalchemy import update

        from kdsearch.ledger import tables

        with self.engine.begin() as connection:
            connection.execute(update(tables.sweep).where(tables.sweep.c.name == name).values(stop_requested=True))

    # Studies and trials

    @_waited_out
    def open_study(
        self, name: str, kind: Kind, sample_count: int, *, maximize: bool, space: str | None = None
    ) -> StudyRow:
        """Create the study or find it."""
        from optuna.exceptions import DuplicatedStudyError
        from optuna.study import StudyDirection

        direction = StudyDirection.MAXIMIZE if maximize else StudyDirection.MINIMIZE
        try:
            study_id = self.storage.create_new_study([direction], name)
        except DuplicatedStudyError:
            study_id = self.storage.get_study_id_from_name(name)
        # Optuna writes name and attributes apart: a driver that died in between left a study without them.
        if STUDY_ATTR not in self.storage.get_study_user_attrs(study_id):
            attr = {"kind": kind.value, "sample_count": sample_count, "space": space}
            self.storage.set_study_user_attr(study_id, STUDY_ATTR, attr)
        return StudyRow(study_id, name, kind, sample_count, space)

    @_waited_out
    def sampler_state(self, study: StudyRow) -> dict[str, Any]:
        """What some samplers keep in their study (where a quasi-random sequence stands)."""
        return self.storage.get_study_system_attrs(study.id)

    @_waited_out
    def write_sampler_state(self, study: StudyRow, key: str, value: Any) -> None:
        self.storage.set_study_system_attr(study.id, key, value)

    @_waited_out
    def studies(self, sweep: str) -> list[StudyRow]:
        found = []
        for study in self.storage.get_all_studies():
            attr = study.user_attrs.get(STUDY_ATTR)
            if study.study_name.startswith(f"{sweep}/") and attr is not None:
                kind, space = Kind(attr["kind"]), attr.get("space")
                found.append(StudyRow(study._study_id, study.study_name, kind, attr["sample_count"], space))
        return found

    @_waited_out
    def trials(self, sweep: str) -> list[TrialRecord]:
        """Every trial of a sweep, by study and number."""
        studies = self.studies(sweep)
        found = self._read(studies, whole=False)
        return [_trial_record(study, trial) for study in studies for trial in found[study.id]]

    @_waited_out
    def study_trials(self, study: StudyRow) -> list[TrialRecord]:
        return [_trial_record(study, trial) for trial in self._read([study], whole=False)[study.id]]

    @_waited_out
    def frozen_trials(self, study: StudyRow) -> list[optuna.trial.FrozenTrial]:
        """The study's trials as Optuna sees them."""
        return self._read([study], whole=True)[study.id]

    def _read(self, studies: Sequence[StudyRow], *, whole: bool) -> dict[int, list[optuna.trial.FrozenTrial]]:
        with self.engine.connect() as connection:
            found = rows.select_trials(connection, [study.id for study in studies], whole=whole)
        self._ids.update(((study, trial.number), trial._trial_id) for study in found for trial in found[study])
        return found

    @_waited_out
    def start_trial(
        self, study: StudyRow, number: int, spec: Mapping[str, Any], frozen: optuna.trial.FrozenTrial, attempt: int
    ) -> TrialRecord:
        """Write row `number`, RUNNING, in one commit: parameters and distributions of `frozen`, and our `spec`.

        The number is the study's next. A row that is there already is the one whose answer was lost with the database.
        """
        if self._is_unsure:
            there = [record for record in self.study_trials(study) if record.number == number]
            if there:
                self._is_unsure = False
                return there[0]
        frozen.user_attrs = {SPEC_ATTR: dict(spec), ATTEMPTS_ATTR: [attempt]}
        self._is_unsure = True
        trial_id, frozen.number = rows.insert_trial(self.engine, study.id, frozen, self._fence)
        self._is_unsure = False
        self._ids[study.id, frozen.number] = trial_id
        return _trial_record(study, frozen)

    @_waited_out
    def continue_trial(self, study: StudyRow, record: TrialRecord, attempt: int) -> TrialRecord:
        """Put a trial that a worker or a driver left behind to RUNNING again."""
        import optuna

        trial_id = self._trial_id(study, record.number)
        with self._writing() as connection:
            if attempt not in record.attempts:
                rows.write_attribute(connection, trial_id, ATTEMPTS_ATTR, [*record.attempts, attempt])
            if record.state is TrialState.WAITING:
                rows.set_state(connection, trial_id, optuna.trial.TrialState.RUNNING)
        return self._record(study, trial_id)

    @_waited_out
    def count_interruption(self, study: StudyRow, record: TrialRecord, *, blame: bool) -> TrialRecord:
        """Note that the trial's worker died: of the trial (`blame`), or with its node, which is not held against it."""
        trial_id = self._trial_id(study, record.number)
        with self._writing() as connection:
            if blame:
                rows.write_attribute(connection, trial_id, RESTARTS_ATTR, record.restarts + 1)
            else:
                rows.write_attribute(connection, trial_id, LOSSES_ATTR, record.losses + 1)
        return self._record(study, trial_id)

    @_waited_out
    def suspend_trial(self, study: StudyRow, number: int) -> TrialRecord:
        """Put a running trial back to WAITING: this attempt ends before the trial does."""
        import optuna

        trial_id = self._trial_id(study, number)
        with self._writing() as connection:
            rows.set_state(connection, trial_id, optuna.trial.TrialState.WAITING)
        return self._record(study, trial_id)

    @_waited_out
    def write_decision(self, study: StudyRow, number: int, decision: Decision) -> None:
        """Add what was decided on a running trial; also as the intermediate value that Optuna's tools show."""
        trial_id = self._trial_id(study, number)
        with self._writing() as connection:
            before = rows.select_trial(connection, trial_id).user_attrs.get(DECISIONS_ATTR, [])
            before = [known for known in before if known["step"] != decision.step]
            rows.write_attribute(connection, trial_id, DECISIONS_ATTR, [*before, asdict(decision)])
            rows.write_intermediate_value(connection, trial_id, decision.step, decision.value)

    @_waited_out
    def finish_trial(
        self, sweep: str, study: StudyRow, number: int, result: TrialResult, series: Iterable[Point]
    ) -> TrialRecord:
        """Write how a trial ended, in one commit. Idempotent: a trial that has ended keeps what it has."""
        trial_id = self._trial_id(study, number)
        with self._writing() as connection:
            trial = rows.select_trial(connection, trial_id)
            if not trial.state.is_finished():
                _write_series(connection, sweep, f"{study.name}#{number}", series)
                rows.write_attribute(connection, trial_id, RESULT_ATTR, result.to_dict())
                _end(trial, result)
                rows.end_trial(connection, trial)
        return _trial_record(study, trial)

    @_waited_out
    def tell(self, study: StudyRow, number: int, result: TrialResult) -> None:
        """Write a trial's final state. Idempotent: a trial that has ended keeps what it has."""
        trial_id = self._trial_id(study, number)
        with self._writing() as connection:
            trial = rows.select_trial(connection, trial_id)
            if not trial.state.is_finished():
                _end(trial, result)
                rows.end_trial(connection, trial)

    @_waited_out
    def untold_result(self, study: StudyRow, number: int) -> TrialResult | None:
        """The result of a trial whose driver died between writing it and telling it."""
        return result_of(self.storage.get_trial(self._trial_id(study, number)))

    def _trial_id(self, study: StudyRow, number: int) -> int:
        known = self._ids.get((study.id, number))
        if known is None:
            known = self._ids[study.id, number] = self.storage.get_trial_id_from_study_id_trial_number(study.id, number)
        return known

    def _record(self, study: StudyRow, trial_id: int) -> TrialRecord:
        with self.engine.connect() as connection:
            return _trial_record(study, rows.select_trial(connection, trial_id))

    # Series

    @_waited_out
    def series(self, key: str) -> list[Point]:
        from sqlalchemy import select

        from kdsearch.ledger import tables

        with self.engine.connect() as connection:
            encoded = connection.execute(select(tables.series.c.points).where(tables.series.c.trial == key)).scalar()
        return _points(encoded) if encoded else []

    def all_series(self, sweep: str) -> dict[str, list[Point]]:
        from sqlalchemy import select

        from kdsearch.ledger import tables

        query = select(tables.series.c.trial, tables.series.c.points).where(tables.series.c.sweep == sweep)
        with self.engine.connect() as connection:
            return {row.trial: _points(row.points) for row in connection.execute(query)}


_SERVER = {
    # libpq's: a server that is gone is noticed within seconds. What a write may take is less than the time between
    # the last moment at which a driver writes without asking for its lease, and the first at which another gets it.
    "connect_timeout": 5,
    "tcp_user_timeout": 4000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}


def _write_series(connection: Connection, sweep: str, key: str, points: Iterable[Point]) -> None:
    from sqlalchemy import delete
    from sqlalchemy import insert

    from kdsearch.ledger import tables

    encoded = json.dumps([[point.epoch, point.time, dict(point.metrics)] for point in points])
    connection.execute(delete(tables.series).where(tables.series.c.trial == key))
    connection.execute(insert(tables.series).values(trial=key, sweep=sweep, points=encoded))


def _end(trial: optuna.trial.FrozenTrial, result: TrialResult) -> None:
    """Let a trial, as it was read, be what it is with its result."""
    import optuna

    trial.state = optuna.trial.TrialState[result.state.value]
    if result.value is not None and result.state is not TrialState.FAIL:
        trial.value = result.value
    trial.datetime_complete = datetime.now()
    trial.user_attrs = trial.user_attrs | {RESULT_ATTR: result.to_dict()}


def _check_is_ledger(url: str) -> None:
    """Look without Optuna, which makes its tables wherever it looks.

    Raises:
        NoLedgerError: the database is not one of ours.
    """
    from sqlalchemy import create_engine
    from sqlalchemy import inspect

    from kdsearch.ledger import tables

    engine = create_engine(url, connect_args=_connect_args(url))
    try:
        if not inspect(engine).has_table(tables.meta.name):
            raise NoLedgerError([Problem("ledger", _shown(engine), "this database holds no kdsearch ledger")])
    finally:
        engine.dispose()


def _open_storage(url: str, *, create: bool) -> optuna.storages.RDBStorage:
    import optuna
    from sqlalchemy import event

    engine_kwargs: dict[str, Any] = {"connect_args": _connect_args(url)}
    if sqlite_file(url) is None:
        engine_kwargs |= {"pool_pre_ping": True, "pool_size": 2}
    storage = optuna.storages.RDBStorage(url, engine_kwargs=engine_kwargs, skip_table_creation=not create)
    if sqlite_file(url) is not None:
        event.listen(storage.engine, "connect", _tune_sqlite)
        storage.engine.dispose()
    return storage


def _connect_args(url: str) -> Mapping[str, Any]:
    return _SERVER if sqlite_file(url) is None else {"timeout": BUSY_TIMEOUT}


def _tune_sqlite(connection: Any, _record: Any) -> None:
    # WAL: readers never block the writer. NORMAL: a commit is safe from a killed process, and costs no fsync.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _shown(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)


def _now() -> datetime:
    """UTC without a zone: what every database stores the same way."""
    return datetime.now(UTC).replace(tzinfo=None)


def _points(encoded: str) -> list[Point]:
    return [Point(epoch, time, metrics) for epoch, time, metrics in json.loads(encoded)]


def _search_seconds(connection: Connection) -> dict[str, float]:
    """What the attempts of each sweep have used of its `time_budget`."""
    from sqlalchemy import func
    from sqlalchemy import select

    from kdsearch.ledger import tables

    table = tables.search_time
    query = select(table.c.sweep, func.sum(table.c.seconds).label("seconds")).group_by(table.c.sweep)
    return {row.sweep: float(row.seconds) for row in connection.execute(query)}


def _sweep_record(row: Row[Any], attempts: list[Row[Any]], search_seconds: float) -> SweepRecord:
    return SweepRecord(
        name=row.name,
        uid=row.uid,
        state=_state(row, attempts),
        config=json.loads(row.config),
        target=row.target,
        created=row.created.replace(tzinfo=UTC),
        attempts=tuple(
            AttemptRecord(
                number=a.number,
                host=a.host,
                pid=a.pid,
                started=a.started.replace(tzinfo=UTC),
                ended=a.ended.replace(tzinfo=UTC) if a.ended else None,
                outcome=a.outcome,
            )
            for a in attempts
        ),
        teacher=json.loads(row.teacher),
        search_seconds=search_seconds,
    )


def _state(row: Row[Any], attempts: list[Row[Any]]) -> SweepState:
    """What the row says, unless its driver is gone without having said so."""
    holder = next((a for a in attempts if a.number == row.holder), None)
    if (
        holder is not None
        and ProcessIdentity(holder.host, holder.boot, holder.pid, holder.pid_started).is_provably_dead()
    ):
        return SweepState.INTERRUPTED
    return SweepState(row.state)


def _trial_record(study: StudyRow, trial: optuna.trial.FrozenTrial) -> TrialRecord:
    attrs = trial.user_attrs
    spec = attrs[SPEC_ATTR]
    result = attrs.get(RESULT_ATTR, {})
    reason = result.get("reason")
    return TrialRecord(
        study=study.name,
        number=trial.number,
        kind=study.kind,
        sample_count=study.sample_count,
        state=TrialState(trial.state.name),
        recipe=Recipe.from_dict(spec["recipe"]),
        params=dict(trial.params),
        seed=spec["seed"],
        subset_seed=spec["subset_seed"],
        control=spec.get("control"),
        confirms=spec.get("confirms"),
        replicate=spec.get("replicate"),
        value=trial.value if trial.state.is_finished() and trial.values else None,
        metrics=result.get("metrics", {}),
        reason=Reason(reason) if reason else None,
        error=result.get("error"),
        attempts=tuple(attrs.get(ATTEMPTS_ATTR, ())),
        restarts=attrs.get(RESTARTS_ATTR, 0),
        losses=attrs.get(LOSSES_ATTR, 0),
        started=trial.datetime_start.astimezone(UTC) if trial.datetime_start else None,
        ended=trial.datetime_complete.astimezone(UTC) if trial.datetime_complete else None,
    )
