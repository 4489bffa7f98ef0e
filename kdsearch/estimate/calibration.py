"""A short calibration: one student for the smallest and one for the largest sample count, on this machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kdsearch.config.schema import SweepConfig

if TYPE_CHECKING:
    from kdsearch.data import Splits

WARM_UP_STEPS = 2


def calibrate(config: SweepConfig) -> dict[int, float]:
    """Seconds of one training by sample count, replicates included.

    The students learn from labels alone: in a sweep the teacher's outputs are at hand, so they cost next to nothing
    (but with `training.augmentation.mode=online`, where the teacher is asked at every step).

    Raises:
        KdsearchError: the loss became infinite or not a number.
    """
    import torch

    from kdsearch.data import load_splits

    torch.set_num_threads(max(1, int(config.resources.cpus_per_trial)))
    splits = load_splits(config.dataset, config.seed).without_test()
    training = {"steps": WARM_UP_STEPS, "epochs": None, "evaluations": 1}
    _train(config.model_copy(update={"training": config.training.model_copy(update=training)}), splits, min_of(config))
    return {n: _train(config, splits, n) * config.search.replicates for n in dict.fromkeys(ends(config))}


def ends(config: SweepConfig) -> tuple[int, int]:
    """The smallest and the largest sample count."""
    return config.sample_counts[0], config.sample_counts[-1]


def min_of(config: SweepConfig) -> int:
    return ends(config)[0]


def _train(config: SweepConfig, splits: Splits, sample_count: int) -> float:
    from kdsearch.api import train_student
    from kdsearch.distiller import NonFiniteLossError
    from kdsearch.errors import KdsearchError
    from kdsearch.recipe import Recipe
    from kdsearch.teacher.training import resolve_device

    began = time.perf_counter()
    try:
        train_student(
            splits,
            None,
            Recipe("labels", 0.0),
            sample_count=sample_count,
            student=config.student,
            training=config.training,
            seed=config.seed,
            device=str(resolve_device(config.training.device)),
        )
    except NonFiniteLossError as error:
        raise KdsearchError(f"n={sample_count}: {error}; try a lower training.learning_rate") from None
    return time.perf_counter() - began
