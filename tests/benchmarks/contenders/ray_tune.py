"""The stock stack: Ray Tune, its OptunaSearch on a SQLite database, its MLflowLoggerCallback; as documented.

One Tuner for each sample count, since a searcher has one study; each is a phase of its own, so that its start-up is
not counted. Trials report after every epoch.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.contenders.ends import Ends
from tests.benchmarks.contenders.ends import ends_of
from tests.benchmarks.contenders.space import suggest
from tests.benchmarks.contenders.training import train
from tests.benchmarks.contenders.workload import Material
from tests.benchmarks.contenders.workload import Workload
from tests.benchmarks.contenders.workload import load_material


def run(
    workload: Workload,
    material: Path,
    folder: Path,
    trials_per_count: int,
    overrides: Sequence[str],
    *,
    reuse_actors: bool,
) -> Ends:
    import optuna
    import ray
    from optuna.storages import RDBStorage

    ray.init(address="local", include_dashboard=False, log_to_driver=False)
    storage = RDBStorage(f"sqlite:///{folder / 'optuna.db'}")
    try:
        for n in workload.sample_counts:
            tune_one(load_material(material), n, trials_per_count, folder, storage, reuse_actors=reuse_actors)
    finally:
        ray.shutdown()
    finished = time.time()
    studies = [optuna.load_study(study_name=f"n={n}", storage=storage) for n in workload.sample_counts]
    return Ends([ends_of(study, trials_per_count) for study in studies], finished)


def tune_one(material: Material, n: int, trials: int, folder: Path, storage: Any, *, reuse_actors: bool) -> None:
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback
    from ray.tune.search.optuna import OptunaSearch

    trainable = tune.with_parameters(_trainable, material=material, n=n)
    search = OptunaSearch(suggest, metric="val_accuracy", mode="max", study_name=f"n={n}", storage=storage)
    tracking = MLflowLoggerCallback(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", experiment_name="distillation")
    tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        tune_config=tune.TuneConfig(search_alg=search, num_samples=trials, reuse_actors=reuse_actors),
        run_config=tune.RunConfig(name=f"n={n}", storage_path=str(folder), callbacks=[tracking], verbose=0),
    ).fit()


def _trainable(config: Mapping[str, Any], material: Material, n: int) -> None:
    from ray import tune

    seed = int(tune.get_context().get_trial_id().replace("_", ""), 16)
    train(material, n, config, seed, lambda epoch, metrics: tune.report(metrics))
