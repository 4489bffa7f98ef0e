"""What is compared: the same sweep through kdsearch, through what one would build by hand, and bare.

A contender is a function of workload, folder of the prepared material, folder to work in, trials per sample count and
further overrides of kdsearch's sweep. It runs in a process of its own, see `__main__`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.benchmarks.contenders import floor
from tests.benchmarks.contenders import kdsearch_sweep
from tests.benchmarks.contenders import plain_optuna
from tests.benchmarks.contenders import ray_tune
from tests.benchmarks.contenders.ends import Ends
from tests.benchmarks.contenders.workload import CONVOLUTIONAL
from tests.benchmarks.contenders.workload import DIGITS
from tests.benchmarks.contenders.workload import Workload


@dataclass(frozen=True)
class Contender:
    title: str
    workload: Workload
    run: Callable[..., Ends]
    share: float = 1.0
    """Of the trials that kdsearch gets: slow contenders take as long with fewer, and a floor needs more to last."""

    def trials_per_count(self, trials: int) -> int:
        return max(3, round(self.share * trials / len(self.workload.sample_counts)))


CONTENDERS = {
    "kdsearch": Contender("kdsearch", DIGITS, kdsearch_sweep.run),
    "kdsearch_single": Contender(
        "kdsearch, one trial at a time per worker", DIGITS, partial(kdsearch_sweep.run, is_packed=False)
    ),
    "floor": Contender("the trainings alone in plain torch, one at a time per core", DIGITS, floor.run, share=4),
    "floor_own": Contender(
        "the trainings alone in kdsearch's loop, one at a time per core",
        DIGITS,
        partial(floor.run, is_own=True),
        share=4,
    ),
    "optuna_batch": Contender(
        "Optuna, a process per core, one MLflow batch per trial",
        DIGITS,
        partial(plain_optuna.run, in_one_batch=True),
    ),
    "optuna_epochs": Contender(
        "Optuna, a process per core, MLflow after each epoch",
        DIGITS,
        partial(plain_optuna.run, in_one_batch=False),
        share=0.5,
    ),
    "ray_reused": Contender(
        "Ray Tune + OptunaSearch + MLflowLoggerCallback, reuse_actors",
        DIGITS,
        partial(ray_tune.run, reuse_actors=True),
        share=0.15,
    ),
    "ray": Contender(
        "Ray Tune + OptunaSearch + MLflowLoggerCallback", DIGITS, partial(ray_tune.run, reuse_actors=False), share=0.05
    ),
    "cnn_kdsearch": Contender(
        "kdsearch, one trial at a time per worker",
        CONVOLUTIONAL,
        partial(kdsearch_sweep.run, is_packed=False, is_teacher_given=True),
        share=0.3,
    ),
    "cnn_floor": Contender(
        "the trainings alone in plain torch, one at a time per core", CONVOLUTIONAL, floor.run, share=0.6
    ),
    "cnn_floor_own": Contender(
        "the trainings alone in kdsearch's loop, one at a time per core",
        CONVOLUTIONAL,
        partial(floor.run, is_own=True),
        share=0.6,
    ),
}
