"""Does MLflow agree with the ledger, one to one?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kdsearch.config.secrets import mask_url
from kdsearch.errors import KdsearchError
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import SweepState
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.tracking.projection import OPEN_STATUSES
from kdsearch.tracking.projection import SWEEP_STATUS
from kdsearch.tracking.projection import TRIAL
from kdsearch.tracking.projection import TRIAL_STATUS
from kdsearch.tracking.projection import UID

KINDS = ("missing", "duplicate", "open", "status", "unknown")


class TrackingUnavailable(KdsearchError, ConnectionError):
    """MLflow could not be asked."""


def experiment_name(sweep: SweepRecord) -> str:
    """The experiment that a sweep's runs are in."""
    return str(sweep.config.get("mlflow", {}).get("experiment") or sweep.name)


@dataclass(frozen=True)
class Agreement:
    """How a sweep's runs and its ledger rows compare."""

    runs: int
    """How many trials have a run."""
    disagreements: tuple[tuple[str, str], ...]
    """What is wrong (one of KINDS), and with which trial; the sweep's own run goes by the sweep's name."""

    @property
    def counts(self) -> dict[str, int]:
        counted = Counter(what for what, _ in self.disagreements)
        return {"runs": self.runs, **{what: counted[what] for what in KINDS}}


@dataclass(frozen=True)
class Unasked:
    """MLflow was not asked, or could not be."""

    reason: str

    @property
    def counts(self) -> dict[str, int | str | None]:
        """The keys of `Agreement.counts`, all null, and why."""
        return {"runs": None, **dict.fromkeys(KINDS), "reason": self.reason}


def compare(tracking_uri: str, sweep: SweepRecord, records: Sequence[TrialRecord]) -> Agreement:
    """Compare a sweep's runs with its ledger rows, one to one.

    `missing` are started trials without a run, `duplicate` runs beyond a trial's first, `open` runs not closed though
    no live attempt works on them (RUNNING while the trial or the sweep is not, or unfinished while the trial is
    finished), `status` closed runs whose status is not the trial's, `unknown` runs of trials that the ledger does not
    have. The sweep's own run can be `open` or of another `status`.

    Raises:
        TrackingUnavailable: MLflow could not be asked.
    """
    statuses = _statuses(tracking_uri, sweep)
    own = statuses.pop(None, [])
    found = [(what, sweep.name) for status in own for what in _wrong_with_own(status, sweep)]
    for record in records:
        found += [(what, record.key) for what in _wrong_with(statuses.get(record.key, []), record, sweep)]
    known = {record.key for record in records}
    found += [("unknown", str(trial)) for trial, runs in statuses.items() if trial not in known for _ in runs]
    return Agreement(sum(trial in known for trial in statuses), tuple(found))


def verify(tracking_uri: str, sweep: SweepRecord, records: Sequence[TrialRecord]) -> dict[str, int]:
    """The counts of `compare`."""
    return compare(tracking_uri, sweep, records).counts


def _wrong_with(statuses: Sequence[str], record: TrialRecord, sweep: SweepRecord) -> Iterator[str]:
    if not statuses and _should_have_run(record):
        yield "missing"
    yield from ["duplicate"] * (len(statuses) - 1)
    for status in statuses:
        if status not in OPEN_STATUSES:
            if status != TRIAL_STATUS[record.state]:
                yield "status"
        elif record.state.is_finished or (status == "RUNNING" and not _is_at_work(record, sweep)):
            yield "open"


def _wrong_with_own(status: str, sweep: SweepRecord) -> Iterator[str]:
    if status in OPEN_STATUSES:
        if sweep.state is not SweepState.RUNNING:
            yield "open"
    elif sweep.state is SweepState.COMPLETE and status != SWEEP_STATUS[sweep.state]:
        yield "status"


def _should_have_run(record: TrialRecord) -> bool:
    return record.state is not TrialState.WAITING or bool(record.attempts)


def _is_at_work(record: TrialRecord, sweep: SweepRecord) -> bool:
    return record.state is TrialState.RUNNING and sweep.state is SweepState.RUNNING


def _statuses(tracking_uri: str, sweep: SweepRecord) -> dict[str | None, list[str]]:
    """Statuses of a sweep's live runs by trial key; of its own run under None."""
    ask = _ask_database if tracking_uri.startswith(("sqlite:", "postgresql")) else _ask_mlflow
    statuses: dict[str | None, list[str]] = {}
    try:
        for trial, status in ask(tracking_uri, sweep):
            statuses.setdefault(trial, []).append(status)
    except Exception as error:
        cause = (str(error).splitlines() or [type(error).__name__])[0]
        raise TrackingUnavailable(f"MLflow at {mask_url(tracking_uri)} cannot be asked: {mask_url(cause)}") from error
    return statuses


def _ask_mlflow(tracking_uri: str, sweep: SweepRecord) -> Iterable[tuple[str | None, str]]:
    from kdsearch.tracking.runs import list_statuses

    return list_statuses(tracking_uri, experiment_name(sweep), sweep.uid)


def _ask_database(tracking_uri: str, sweep: SweepRecord) -> Iterable[tuple[str | None, str]]:
    """The same without MLflow, whose import takes longer than everything else that `status` does."""
    from sqlalchemy import create_engine
    from sqlalchemy import text

    if not is_database_of_mlflow(tracking_uri):
        return []
    engine = create_engine(tracking_uri)
    try:
        with engine.connect() as connection:
            rows = connection.execute(text(_RUNS), {"uid": sweep.uid}).all()
    finally:
        engine.dispose()
    return [(trial, status) for trial, status in rows]


def is_database_of_mlflow(tracking_uri: str) -> bool:
    """Whether a database is there that MLflow has made; looking makes none."""
    from sqlalchemy import create_engine
    from sqlalchemy import inspect
    from sqlalchemy import make_url

    database = make_url(tracking_uri)
    if database.get_backend_name() == "sqlite" and not Path(database.database or "").is_file():
        return False
    engine = create_engine(database)
    try:
        return inspect(engine).has_table("runs")
    finally:
        engine.dispose()


_RUNS = f"""
SELECT trial.value, runs.status FROM runs
JOIN tags AS sweep ON sweep.run_uuid = runs.run_uuid AND sweep.key = '{UID}' AND sweep.value = :uid
LEFT JOIN tags AS trial ON trial.run_uuid = runs.run_uuid AND trial.key = '{TRIAL}'
WHERE runs.lifecycle_stage = 'active'
"""
