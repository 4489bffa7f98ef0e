"""What an attempt leaves behind for people: the report in the storage, the parent run in MLflow, the leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kdsearch.config.schema import SweepConfig
from kdsearch.ledger import Ledger
from kdsearch.ledger import SweepState
from kdsearch.report import leaderboard
from kdsearch.report.write import report_files
from kdsearch.report.write import write_report
from kdsearch.storage import Storage
from kdsearch.tracking.findings import findings

if TYPE_CHECKING:
    from rich.console import Console

    from kdsearch.ledger import SweepRecord
    from kdsearch.ledger import TrialRecord
    from kdsearch.tracking import Tracker
    from kdsearch.tracking.models import LoggableStudent

TRACKER_SECONDS = 120.0
"""How long the end of a complete sweep waits for MLflow to take what is left."""
INTERRUPTED_TRACKER_SECONDS = 3.0
"""The same when the sweep was interrupted: what is not delivered is written by the next attempt."""


def conclude(
    ledger: Ledger,
    config: SweepConfig,
    storage: Storage,
    tracker: Tracker | None,
    folder: Path,
    *,
    failed: bool,
    console: Console,
) -> None:
    """Write report and parent run, print the leaderboard. `tracker` is None when MLflow was not opened.

    `folder` is an empty one, for the report's files.

    Raises:
        AwayError: ledger or storage stayed away for longer than is waited.
    """
    sweep = ledger.sweep(config.name)
    assert sweep is not None
    records = ledger.trials(config.name)
    write_report(sweep, records, folder)
    for file in report_files(folder):
        storage.write(f"sweeps/{config.name}/report/{file.relative_to(folder).as_posix()}", file.read_bytes())
    if tracker is not None:
        students = _students(config, storage, sweep, records, console) if config.mlflow.register_students else []
        _finish_tracking(tracker, config, sweep, records, folder, students, failed=failed, console=console)
    console.print(leaderboard(sweep, records))


def _finish_tracking(
    tracker: Tracker,
    config: SweepConfig,
    sweep: SweepRecord,
    records: list[TrialRecord],
    report: Path,
    students: list[LoggableStudent],
    *,
    failed: bool,
    console: Console,
) -> None:
    interrupted = sweep.state is SweepState.INTERRUPTED
    seconds = INTERRUPTED_TRACKER_SECONDS if interrupted else TRACKER_SECONDS
    name = config.mlflow.registered_model or config.name
    if not tracker.finish(sweep.state, findings(sweep, records), report, seconds, failed, students, name):
        console.print("MLflow has not taken everything yet; the ledger has it, and the next start writes it.")
    tracker.close()


def _students(
    config: SweepConfig, storage: Storage, sweep: SweepRecord, records: list[TrialRecord], console: Console
) -> list[LoggableStudent]:
    """The best confirmed student of each sample count of a complete sweep; a warning where they are not to be had."""
    if sweep.state is not SweepState.COMPLETE:
        return []
    import numpy as np

    from kdsearch.data import load_splits
    from kdsearch.students import StudentStore
    from kdsearch.students.choice import best_student
    from kdsearch.students.choice import chosen_recipes
    from kdsearch.tracking.models import EXAMPLE_BATCH
    from kdsearch.tracking.models import LoggableStudent

    store = StudentStore(storage, config.name, sweep.uid)
    choices = chosen_recipes(sweep, records).values()
    try:
        best = [(choice, best_student(choice.distilled, config.search.metric, store)) for choice in choices]
        inputs = load_splits(config.dataset, config.seed).without_test().validation.inputs
        samples = np.asarray(inputs[:EXAMPLE_BATCH])
        return [
            LoggableStudent(
                trial=one.trial.key,
                uid=sweep.uid,
                sample_count=choice.sample_count,
                recipe=choice.distilled.label,
                module=one.student.model,
                samples=samples,
            )
            for choice, one in best
            if one is not None
        ]
    except Exception as error:  # the sweep is done, whatever its data and its user's network do now
        console.print(f"no student is registered: {error}", markup=False)
        return []
