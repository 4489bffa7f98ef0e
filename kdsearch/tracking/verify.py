"""Does MLflow agree with the ledger, one to one?"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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


class TrackingUnavailable(KdsearchError, ConnectionError):
    """MLflow could not be asked."""


def experiment_name(sweep: SweepRecord) -> str:
    """The experiment that a sweep's runs are in."""
    return str(sweep.config.get("mlflow", {}).get("experiment") or sweep.name)


def verify(tracking_uri: str, sweep: SweepRecord, records: Sequence[TrialRecord]) -> dict[str, Any]:
    """Compare a sweep's runs with its ledger rows.

    Returns counts: `runs` (trials that have a run), `missing` (started trials without one), `duplicate` (runs beyond a
    trial's first), `open` (runs not closed though no live attempt works on them: RUNNING while the trial or the sweep
    is not, or unfinished while the trial is finished), `status` (closed runs whose status is not the trial's),
    `unknown` (runs of trials that the ledger does not have). The sweep's own run can be `open` or of another `status`.

    Raises:
        TrackingUnavailable: MLflow could not be asked.
    """
    children = _statuses(tracking_uri, sweep)
    own = children.pop(None, [])
    counts = {"runs": 0, "missing": 0, "duplicate": 0, "open": 0, "status": 0, "unknown": 0}
    by_key = {record.key: record for record in records}
    for record in records:
        runs = children.get(record.key, [])
        counts["runs"] += bool(runs)
        counts["missing"] += not runs and _should_have_run(record)
        counts["duplicate"] += max(0, len(runs) - 1)
        for status in runs:
            if status in OPEN_STATUSES:
                counts["open"] += record.state.is_finished or (status == "RUNNING" and not _is_at_work(record, sweep))
            else:
                counts["status"] += status != TRIAL_STATUS[record.state]
    if sweep.state is not SweepState.RUNNING:
        counts["open"] += sum(status in OPEN_STATUSES for status in own)
    if sweep.state is SweepState.COMPLETE:
        counts["status"] += sum(status not in (*OPEN_STATUSES, SWEEP_STATUS[sweep.state]) for status in own)
    counts["unknown"] = sum(len(runs) for trial, runs in children.items() if trial not in by_key)
    return counts


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
    from sqlalchemy import inspect
    from sqlalchemy import make_url
    from sqlalchemy import text

    database = make_url(tracking_uri)
    if database.get_backend_name() == "sqlite" and not Path(database.database or "").is_file():
        return []
    engine = create_engine(database)
    try:
        if not inspect(engine).has_table("runs"):
            return []
        with engine.connect() as connection:
            rows = connection.execute(text(_RUNS), {"uid": sweep.uid}).all()
    finally:
        engine.dispose()
    return [(trial, status) for trial, status in rows]


_RUNS = f"""
SELECT trial.value, runs.status FROM runs
JOIN tags AS sweep ON sweep.run_uuid = runs.run_uuid AND sweep.key = '{UID}' AND sweep.value = :uid
LEFT JOIN tags AS trial ON trial.run_uuid = runs.run_uuid AND trial.key = '{TRIAL}'
WHERE runs.lifecycle_stage = 'active'
"""
