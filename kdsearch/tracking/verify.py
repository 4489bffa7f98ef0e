"""Does MLflow agree with the ledger, one to one?"""

from __future__ import annotations

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
from kdsearch.tracking.projection import TRIAL
from kdsearch.tracking.projection import TRIAL_STATUS
from kdsearch.tracking.projection import UID


class TrackingUnavailable(KdsearchError, ConnectionError):
    """MLflow could not be asked."""


def experiment_name(sweep: SweepRecord) -> str:
    """The experiment that a sweep's runs are in."""
    return str(sweep.config.get("mlflow", {}).get("experiment") or sweep.name)


def verify(tracking_uri: str, sweep: SweepRecord, records: Sequence[TrialRecord]) -> dict[str, Any]:
    """Compare a sweep's child runs with its ledger rows.

    Returns counts: `runs` (trials that have a run), `missing` (started trials without one), `duplicate` (runs beyond a
    trial's first), `open` (runs not closed though no live attempt works on them: RUNNING while the trial or the sweep
    is not, or unfinished while the trial is finished), `status` (closed runs whose status is not the trial's),
    `unknown` (runs of trials that the ledger does not have).

    Raises:
        TrackingUnavailable: MLflow could not be asked.
    """
    children = _children(tracking_uri, sweep)
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
    counts["unknown"] = sum(len(runs) for trial, runs in children.items() if trial not in by_key)
    return counts


def _should_have_run(record: TrialRecord) -> bool:
    return record.state is not TrialState.WAITING or bool(record.attempts)


def _is_at_work(record: TrialRecord, sweep: SweepRecord) -> bool:
    return record.state is TrialState.RUNNING and sweep.state is SweepState.RUNNING


def _children(tracking_uri: str, sweep: SweepRecord) -> dict[str, list[str]]:
    """Statuses of a sweep's live child runs by trial key."""
    ask = _ask_database if tracking_uri.startswith(("sqlite:", "postgresql")) else _ask_mlflow
    try:
        return ask(tracking_uri, sweep)
    except Exception as error:
        cause = (str(error).splitlines() or [type(error).__name__])[0]
        raise TrackingUnavailable(f"MLflow at {mask_url(tracking_uri)} cannot be asked: {mask_url(cause)}") from error


def _ask_mlflow(tracking_uri: str, sweep: SweepRecord) -> dict[str, list[str]]:
    from kdsearch.tracking.runs import list_sweep

    children = list_sweep(tracking_uri, experiment_name(sweep), sweep.uid)
    return {trial: [run.status for run in runs] for trial, runs in children.items()}


def _ask_database(tracking_uri: str, sweep: SweepRecord) -> dict[str, list[str]]:
    """The same without MLflow, whose import takes longer than everything else that `status` does."""
    from sqlalchemy import create_engine
    from sqlalchemy import inspect
    from sqlalchemy import make_url
    from sqlalchemy import text

    database = make_url(tracking_uri)
    if database.get_backend_name() == "sqlite" and not Path(database.database or "").is_file():
        return {}
    engine = create_engine(database)
    try:
        if not inspect(engine).has_table("runs"):
            return {}
        with engine.connect() as connection:
            rows = connection.execute(text(_CHILDREN), {"uid": sweep.uid}).all()
    finally:
        engine.dispose()
    children: dict[str, list[str]] = {}
    for trial, status in rows:
        children.setdefault(trial, []).append(status)
    return children


_CHILDREN = f"""
SELECT trial.value, runs.status FROM runs
JOIN tags AS sweep ON sweep.run_uuid = runs.run_uuid AND sweep.key = '{UID}' AND sweep.value = :uid
JOIN tags AS trial ON trial.run_uuid = runs.run_uuid AND trial.key = '{TRIAL}'
WHERE runs.lifecycle_stage = 'active'
"""
