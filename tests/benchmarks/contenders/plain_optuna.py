"""Plain Optuna: one process per core on one SQLite database, one study for each sample count, MLflow beside it."""

from __future__ import annotations

import functools
import multiprocessing
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from tests.benchmarks.contenders.ends import Ends
from tests.benchmarks.contenders.ends import ends_of
from tests.benchmarks.contenders.ends import process_count
from tests.benchmarks.contenders.space import suggest
from tests.benchmarks.contenders.training import Report
from tests.benchmarks.contenders.training import train
from tests.benchmarks.contenders.workload import Workload
from tests.benchmarks.contenders.workload import load_material

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.storages import RDBStorage

EXPERIMENT = "distillation"
LOCK_SECONDS = 60

Training = Callable[[Report], float]
"""Trains a student and returns its accuracy; what it measures after an epoch goes to the report."""


def run(
    workload: Workload,
    material: Path,
    folder: Path,
    trials_per_count: int,
    overrides: Sequence[str],
    *,
    in_one_batch: bool,
) -> Ends:
    """
    Args:
        in_one_batch: whether MLflow is written once per trial, through its client, or after each epoch, as its
            documentation has it.
    """
    import mlflow
    import optuna

    mlflow.set_tracking_uri(_tracking_uri(folder))
    mlflow.create_experiment(EXPERIMENT)
    storage = _storage(folder)
    for n in workload.sample_counts:
        optuna.create_study(study_name=_study(n), storage=storage, direction="maximize")
    processes = process_count()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn) as pool:
        shares = [len(range(rank, trials_per_count, processes)) for rank in range(processes)]
        work = functools.partial(_search, workload, material, folder, in_one_batch)
        list(pool.map(work, shares))
    finished = time.time()
    studies = [optuna.load_study(study_name=_study(n), storage=storage) for n in workload.sample_counts]
    return Ends([sorted(end for study in studies for end in ends_of(study, trials_per_count))], finished)


def _search(workload: Workload, folder: Path, home: Path, in_one_batch: bool, trials: int) -> None:
    import mlflow
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    mlflow.set_tracking_uri(_tracking_uri(home))
    mlflow.set_experiment(EXPERIMENT)
    material, storage = load_material(folder), _storage(home)
    track = _track_in_one_batch if in_one_batch else _track_each_epoch

    def objective(trial: Trial, n: int) -> float:
        suggest(trial)
        return track(functools.partial(train, material, n, trial.params, trial.number), trial.params)

    for n in workload.sample_counts:
        study = optuna.load_study(study_name=_study(n), storage=storage)
        study.optimize(functools.partial(objective, n=n), n_trials=trials)


def _track_each_epoch(training: Training, params: Mapping[str, Any]) -> float:
    import mlflow

    with mlflow.start_run():
        mlflow.log_params(dict(params))
        return training(lambda epoch, metrics: mlflow.log_metrics(metrics, step=epoch))


def _track_in_one_batch(training: Training, params: Mapping[str, Any]) -> float:
    from mlflow import MlflowClient
    from mlflow.entities import Metric
    from mlflow.entities import Param

    client = MlflowClient()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    run = client.create_run(experiment.experiment_id)
    points: list[Metric] = []

    def report(epoch: int, metrics: dict[str, float]) -> None:
        now = int(time.time() * 1000)
        points.extend(Metric(key, value, now, epoch) for key, value in metrics.items())

    accuracy = training(report)
    client.log_batch(run.info.run_id, points, [Param(key, str(value)) for key, value in params.items()])
    client.set_terminated(run.info.run_id)
    return accuracy


def _study(sample_count: int) -> str:
    return f"n={sample_count}"


def _tracking_uri(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def _storage(folder: Path) -> RDBStorage:
    from optuna.storages import RDBStorage

    waits = {"connect_args": {"timeout": LOCK_SECONDS}}
    return RDBStorage(f"sqlite:///{folder / 'optuna.db'}", engine_kwargs=waits)
