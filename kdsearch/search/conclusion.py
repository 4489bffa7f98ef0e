"""What an attempt leaves behind for people: the report in the storage, the parent run in MLflow, the leaderboard."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
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

INTERRUPTED_TRACKER_SECONDS = 3.0
"""How long the end of an interrupted sweep waits for MLflow to take what is left; the next attempt writes the rest."""
QUIET_SECONDS = 5.0
"""After how long the end of another one says that it waits, as long as MLflow's patience allows."""
SHOWN_PENDING = 3


def conclude(
    ledger: Ledger,
    config: SweepConfig,
    storage: Storage,
    tracker: Tracker | None,
    folder: Path,
    *,
    failed: bool,
    console: Console,
    go_on: Callable[[], bool],
) -> str | None:
    """Write report and parent run, print the leaderboard. `tracker` is None when MLflow was not opened.

    What MLflow has not taken, in words, or None. It is waited for as long as `go_on` says. `folder` is an empty one,
    for the report's files.

    Raises:
        AwayError: ledger or storage stayed away for longer than is waited.
    """
    sweep = ledger.sweep(config.name)
    assert sweep is not None
    records = ledger.trials(config.name)
    write_report(sweep, records, folder)
    for file in report_files(folder):
        storage.write(f"sweeps/{config.name}/report/{file.relative_to(folder).as_posix()}", file.read_bytes())
    pending = None
    if tracker is not None:
        students = _students(config, storage, sweep, records, console) if config.mlflow.register_students else []
        name = config.mlflow.registered_model or config.name
        found = findings(sweep, records)
        seconds = INTERRUPTED_TRACKER_SECONDS if sweep.state is SweepState.INTERRUPTED else QUIET_SECONDS
        if not tracker.finish(sweep.state, found, folder, seconds, failed, students, name):
            pending = _wait(tracker, config, sweep, console, go_on)
        tracker.close()
    console.print(leaderboard(sweep, records))
    return pending


def _wait(
    tracker: Tracker, config: SweepConfig, sweep: SweepRecord, console: Console, go_on: Callable[[], bool]
) -> str | None:
    """Wait until MLflow has taken all, unless the sweep was interrupted; what it has not, in words."""
    left = tracker.pending
    if left and sweep.state is not SweepState.INTERRUPTED:
        patience = f"waiting for MLflow, which may be away for {config.mlflow.patience:g} s"
        console.print(f"{patience}; to be written: {_named(left, sweep)}", markup=False)
        if tracker.wait(None, go_on):
            return None
    pending = _named(tracker.pending, sweep)
    console.print(f"MLflow does not have {pending}; the ledger does, and the next start writes it.", markup=False)
    return pending


def _named(keys: Sequence[str], sweep: SweepRecord) -> str:
    trials = [key for key in keys if key != sweep.name]
    shown = ", ".join(trials[:SHOWN_PENDING]) + (", …" if len(trials) > SHOWN_PENDING else "")
    runs = [f"the runs of {len(trials)} trials ({shown})"] if trials else []
    return " and ".join(runs + (["the sweep's own run"] if len(trials) < len(keys) else []))


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
