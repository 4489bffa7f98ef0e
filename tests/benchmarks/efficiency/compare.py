"""Searches of the recorded task: the real attempt, advisors and pruners, one trial at a time or in packs."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import optuna

from kdsearch.config.schema import SweepConfig
from kdsearch.ledger import Ledger
from kdsearch.ledger import TrialRecord
from kdsearch.ledger import TrialState
from kdsearch.ledger import open_ledger
from kdsearch.search.attempt import Attempt
from kdsearch.search.packing import Packing
from kdsearch.search.spool import Spool
from tests.benchmarks.efficiency.design import SAMPLE_COUNTS
from tests.benchmarks.efficiency.design import sweep_config
from tests.benchmarks.efficiency.task import Task
from tests.benchmarks.efficiency.task import load_task
from tests.simulation.cluster import Cluster

CONFIRMED = 3
CONFIRM_SEEDS = 8
"""As the default sweep confirms."""

RECOMMENDED = ("best", "confirmed")
"""The trial that was best, as it is, or the best of the confirmed ones."""

EPOCHS = 40.0
"""What each search may cost, in whole trainings per sample count: all are compared at equal cost."""

MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Cell:
    """What is compared."""

    sampler: str
    pruner: str
    transfer: bool
    trials: int
    """Of each sample count, at most: a search ends when it has cost `EPOCHS`."""
    pack: int = 1

    def config(self, dataset: str, seed: int) -> SweepConfig:
        whole = _whole_config(dataset)
        search = whole.search.model_copy(update={"transfer": self.transfer})
        changes = {"sampler": self.sampler, "pruner": self.pruner, "trials_per_count": self.trials, "search": search}
        return whole.model_copy(update={**changes, "seed": seed})


@cache
def _whole_config(dataset: str) -> SweepConfig:
    return sweep_config(dataset, "name=efficiency", "controls=[]", "confirm.top_k=0")


@dataclass(frozen=True)
class Trajectory:
    """One search: what it had trained, and how good its recommendations were, after each trial."""

    epochs: Sequence[float]
    """Whole trainings per sample count."""
    regrets: Mapping[str, Sequence[float]]
    """By way of recommending (`RECOMMENDED`), mean over the sample counts."""


class Spent(Exception):
    """A search has trained as much as it may."""


def search(dataset: str, cell: Cell, repetition: int) -> Trajectory:
    """One whole sweep over the sample counts, or as much of it as costs `EPOCHS`."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        ledger = open_ledger(f"sqlite:///{folder}/ledger.db", create=True)
        config = cell.config(dataset, repetition)
        ledger.create_sweep(config.name, {}, 0)
        found = _search(load_task(dataset), cell, config, ledger, Spool(Path(folder) / "results.jsonl"))
        ledger.close()
    return found


def _search(task: Task, cell: Cell, config: SweepConfig, ledger: Ledger, spool: Spool) -> Trajectory:
    attempt = Attempt(ledger, config, 1, spool)
    attempt.packing = Packing({None: cell.pack})
    attempt.open()
    cluster = Cluster(attempt, cell.pack, make_curve=task.students.curve)

    def stop_when_spent(_: int) -> None:
        if sum(share for _, share in cluster.history) >= EPOCHS * len(SAMPLE_COUNTS):
            raise Spent

    cluster.on_event = stop_when_spent
    with suppress(Spent):
        cluster.run()
    records = {record.key: record for record in attempt.records}
    complete: dict[int, list[Candidate]] = {n: [] for n in SAMPLE_COUNTS}
    current: dict[int, tuple[float, float]] = {}
    spent, epochs, regrets = 0.0, [], []
    for key, share in cluster.history:
        record = records[key]
        spent += share / len(SAMPLE_COUNTS)
        if record.state is TrialState.COMPLETE:
            complete[record.sample_count].append(_candidate(task, record))
            current[record.sample_count] = _recommended(complete[record.sample_count])
        if len(current) == len(SAMPLE_COUNTS):
            epochs.append(spent)
            regrets.append([sum(regret) / len(current) for regret in zip(*current.values(), strict=True)])
    return Trajectory(epochs, dict(zip(RECOMMENDED, zip(*regrets, strict=True), strict=True)))


@dataclass(frozen=True)
class Candidate:
    """A recipe that was searched: its value there, what its confirmation would find, and how good it truly is."""

    value: float
    confirmed: float
    regret: float


def _candidate(task: Task, trial: TrialRecord) -> Candidate:
    assert trial.value is not None
    n, chance = trial.sample_count, random.Random(f"confirm {trial.seed}")
    confirmed = task.confirmed(trial.recipe, n, CONFIRM_SEEDS, chance)
    return Candidate(trial.value, confirmed, task.regret(trial.recipe, n))


def _recommended(complete: Sequence[Candidate]) -> tuple[float, float]:
    """The regrets of the best trial, and of the best of the confirmed ones; of equals the older."""
    best = sorted(complete, key=lambda candidate: -candidate.value)[:CONFIRMED]
    return best[0].regret, max(best, key=lambda candidate: candidate.confirmed).regret
