"""Sweeps of made-up students: the real attempt, ledger, observers, tracker and report, on virtual workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna

from kdsearch.config.compose import compose_sweep
from kdsearch.ledger import SweepState
from kdsearch.ledger import open_ledger
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.report.write import write_report
from kdsearch.search.attempt import Attempt
from kdsearch.search.observers import Gains
from kdsearch.search.observers import TrackerObserver
from kdsearch.search.plan import planned_target
from kdsearch.search.spool import Spool
from kdsearch.tracking import Tracker
from kdsearch.tracking.findings import findings
from tests.simulation.cluster import Cluster

WORKERS = 20
DELIVERY_SECONDS = 600.0
SMALL = ("sample_counts=[20,50,100,400]", "trials_per_count=12", "confirm.top_k=2", "confirm.seeds=3")
"""120 trials: of each count 3 controls, 12 searched, and 3 confirmations of the controls and 2 of them."""
LARGE = ("sample_counts=[20,50,100,200,400]", "trials_per_count=167", "confirm.top_k=3", "confirm.seeds=5")
"""1,000 trials: of each count 3 controls, 167 searched, and 5 confirmations of the controls and 3 of them."""
MODELS = ("student.hidden=[32,32]", "sampler=random")


@dataclass(frozen=True)
class SyntheticSweep:
    record: SweepRecord
    records: Sequence[TrialRecord]
    tracking_uri: str


def make_sweep(storage: Path, name: str, *overrides: str) -> SyntheticSweep:
    """Run a sweep to its end in `storage`: every part is real but the students."""
    composed = compose_sweep([f"name={name}", f"storage={storage}", *MODELS, *overrides])
    config = composed.config
    assert config.mlflow.tracking_uri is not None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage.mkdir(parents=True, exist_ok=True)
    ledger = open_ledger(config.ledger, create=True)
    sweep = ledger.create_sweep(name, composed.stored, planned_target(config))
    tracker = Tracker(
        *(config.mlflow.tracking_uri, config.mlflow.experiment or name, sweep, composed.stored, print, 60.0),
        str(storage / "mlflow-artifacts"),
    )
    observers = [TrackerObserver(tracker, Gains(config.search.metric))]
    attempt = Attempt(ledger, config, 1, Spool(storage / "results.jsonl"), observers)
    attempt.open()
    tracker.reconcile([], lambda record: [])
    Cluster(attempt, WORKERS).run()
    ledger.update_sweep(name, target=attempt.target, state=SweepState.COMPLETE, teacher=TEACHER)
    found = ledger.sweep(name)
    assert found is not None
    records = ledger.trials(name)
    write_report(found, records, storage / "report")
    assert tracker.finish(found.state, findings(found, records), storage / "report", DELIVERY_SECONDS)
    tracker.close()
    result = SyntheticSweep(found, records, config.mlflow.tracking_uri)
    ledger.close()
    return result


TEACHER = {"hash": "0123abcd", "sample_count": 1197, "val_accuracy": 0.98, "parameter_count": 84_000}
