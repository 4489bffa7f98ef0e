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
        _finish_tracking(tracker, sweep, records, folder, failed=failed, console=console)
    console.print(leaderboard(sweep, records))


def _finish_tracking(
    tracker: Tracker,
    sweep: SweepRecord,
    records: list[TrialRecord],
    report: Path,
    *,
    failed: bool,
    console: Console,
) -> None:
    interrupted = sweep.state is SweepState.INTERRUPTED
    seconds = INTERRUPTED_TRACKER_SECONDS if interrupted else TRACKER_SECONDS
    if not tracker.finish(sweep.state, findings(sweep, records), report, seconds, failed):
        console.print("MLflow has not taken everything yet; the ledger has it, and the next start writes it.")
    tracker.close()
