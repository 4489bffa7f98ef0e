"""Does MLflow agree with the ledger, one to one?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import SweepState
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.tracking.projection import TRIAL_STATUS


def experiment_name(sweep: SweepRecord) -> str:
    """The experiment that a sweep's runs are in."""
    return str(sweep.config.get("mlflow", {}).get("experiment") or sweep.name)


def verify(tracking_uri: str, sweep: SweepRecord, records: Sequence[TrialRecord]) -> dict[str, Any]:
    """Compare a sweep's child runs with its ledger rows.

    Returns counts: `runs` (trials that have a run), `missing` (started trials without one), `duplicate` (runs beyond a
    trial's first), `open` (runs not closed though no live attempt works on them: RUNNING while the trial or the sweep
    is not, or unfinished while the trial is finished), `status` (closed runs whose status is not the trial's),
    `unknown` (runs of trials that the ledger does not have). Raises what MLflow raises when it can't be asked.
    """
    from kdsearch.tracking.runs import OPEN_STATUSES

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
    """Statuses of a sweep's child runs by trial key."""
    from kdsearch.tracking.runs import list_sweep

    children = list_sweep(tracking_uri, experiment_name(sweep), sweep.uid)
    return {trial: [run.status for run in runs] for trial, runs in children.items()}
