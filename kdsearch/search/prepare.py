"""Data, teacher and signals, made ready on the cluster once per attempt and shared through Ray's object store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from kdsearch.config.schema import SweepConfig
from kdsearch.data import Split
from kdsearch.data import Splits

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from ray import ObjectRef

    from kdsearch.distiller import EvaluationSet
    from kdsearch.distiller import TrainingSet


@dataclass(frozen=True)
class SearchData:
    """What search and controls see: train pool and validation split, and what the teacher says about them.

    `pool_signals` float32 [pool, class_count] and `validation_signals` [validation, class_count] follow the splits' order.
    """

    splits: Splits
    pool_signals: NDArray[np.float32]
    validation_signals: NDArray[np.float32]

    def training_set(self, sample_count: int, subset_seed: int) -> TrainingSet:
        import torch

        from kdsearch.distiller import TrainingSet

        samples = self.splits.samples(sample_count, subset_seed)
        rows = np.searchsorted(self.splits.pool.ids, samples.ids)
        return TrainingSet(
            ids=torch.from_numpy(samples.ids),
            inputs=torch.from_numpy(samples.inputs),
            targets=torch.from_numpy(samples.targets),
            class_count=self.splits.class_count,
            signals=torch.from_numpy(self.pool_signals[rows]),
        )

    def validation_set(self) -> EvaluationSet:
        return _evaluation_set(self.splits.validation, self.validation_signals)


@dataclass(frozen=True)
class TestData:
    """The test split, for confirmations alone."""

    split: Split

    def evaluation_set(self) -> EvaluationSet:
        return _evaluation_set(self.split, None)


@dataclass(frozen=True)
class Prepared:
    data: ObjectRef[SearchData]
    test: ObjectRef[TestData]
    teacher: dict[str, Any]
    """What is recorded of the teacher: `hash`, `sample_count`, its validation metrics, `parameter_count`."""


def prepare(config: SweepConfig) -> Prepared:
    """Load and split the data, train or reuse the teacher and its signals, in a task on the cluster."""
    import ray

    task = ray.remote(_prepare).options(
        num_returns=3, num_cpus=config.resources.cpus_per_trial, num_gpus=config.resources.gpus_per_trial
    )
    data, test, teacher = task.remote(config)
    return Prepared(data, test, ray.get(teacher))


def _prepare(config: SweepConfig) -> tuple[SearchData, TestData, dict[str, Any]]:
    from kdsearch.data import load_splits
    from kdsearch.storage import open_storage
    from kdsearch.teacher import ensure_teacher

    splits = load_splits(config.dataset, config.seed)
    device = training_device(config.teacher.training.device, config.resources.gpus_per_trial)
    teacher = ensure_teacher(config.teacher, splits, config.seed, open_storage(config.storage), device=device)
    data = SearchData(splits.without_test(), teacher.pool_signals, teacher.validation_signals)
    return data, TestData(splits.test("confirmation")), teacher.facts


def training_device(wanted: str, gpus: float) -> torch.device:
    """The device that `training.device` means in a worker with `gpus` GPUs."""
    import torch

    if wanted == "auto":
        wanted = "cuda" if gpus > 0 and torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def _evaluation_set(split: Split, teacher_logits: NDArray[np.float32] | None) -> EvaluationSet:
    import torch

    from kdsearch.distiller import EvaluationSet

    return EvaluationSet(
        torch.from_numpy(split.inputs),
        torch.from_numpy(split.targets),
        None if teacher_logits is None else torch.from_numpy(teacher_logits),
    )
