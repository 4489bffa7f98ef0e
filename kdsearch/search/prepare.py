"""Data, teacher and signals, made ready on the cluster once per attempt and shared through Ray's object store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.config.schema import SweepConfig
from kdsearch.data import Splits
from kdsearch.data import TestSplit
from kdsearch.errors import KdsearchError
from kdsearch.recipe import Source
from kdsearch.search.board import BoardHandle
from kdsearch.search.board import BoardOutage
from kdsearch.teacher import Lesson
from kdsearch.teacher import LessonPlan
from kdsearch.teacher import Teacher

if TYPE_CHECKING:
    import torch
    from ray import ObjectRef

    from kdsearch.distiller import EvaluationSet


@dataclass(frozen=True)
class SearchData:
    """What search and controls see: train pool and validation split, and what teachers say about their samples."""

    splits: Splits
    teachers: Mapping[str | None, Teacher]
    """By the name under which a recipe has it; None is the sweep's own."""
    plan: LessonPlan

    def lesson(self, source: Source, *, sample_count: int, subset_seed: int, device: torch.device) -> Lesson:
        """What a student with this source, sample count and subset seed is taught."""
        from kdsearch.teacher import give_lesson

        return give_lesson(
            self.plan,
            self.splits,
            self.teachers[source.teacher],
            source,
            sample_count=sample_count,
            subset_seed=subset_seed,
            device=device,
        )

    def validation_set(self, teacher: str | None) -> EvaluationSet:
        from kdsearch.distiller import EvaluationSet

        validation = self.splits.validation
        return EvaluationSet.of(validation, self.teachers[teacher].logits_of(validation.ids))


@dataclass(frozen=True)
class Preparation:
    """The task that makes data and teacher ready; trials that start before it has ended wait for its results."""

    data: ObjectRef[SearchData]
    test: ObjectRef[TestSplit]
    teacher: ObjectRef[dict[str, Any]]

    def is_ready(self, timeout: float = 0.0) -> bool:
        import ray

        return bool(ray.wait([self.teacher], timeout=timeout)[0])

    def result(self) -> dict[str, Any]:
        """What is recorded of the teacher: `hash`, `sample_count`, its validation metrics, `parameter_count`.

        Raises:
            InputError: data or a model that can't be loaded, a teacher that diverges.
        """
        import ray
        from ray.exceptions import RayTaskError

        try:
            facts: dict[str, Any] = ray.get(self.teacher)
        except RayTaskError as error:
            if isinstance(error.cause, KdsearchError):
                raise error.cause from None
            raise
        return facts


def prepare(config: SweepConfig, board: BoardHandle, before: Mapping[str, str]) -> Preparation:
    """Begin to load and split the data, and to train the teacher or find it, on the cluster.

    `before` is the fingerprint of the last attempt; other data are refused. On a machine's own cluster the task claims
    no CPU, so that the trials' workers start up meanwhile.
    """
    import ray

    cpus = 0.0 if config.cluster.is_own else config.resources.cpus_per_trial
    task: Any = ray.remote(_prepare)
    options = {"num_returns": 3, "num_cpus": cpus, "num_gpus": config.resources.gpus_per_trial}
    return Preparation(*task.options(**options).remote(_without_servers(config), board, before))


def _without_servers(config: SweepConfig) -> SweepConfig:
    """The config as it may travel: the addresses of ledger and MLflow hold passwords, and no worker needs them."""
    return config.model_copy(update={"ledger": "", "mlflow": config.mlflow.model_copy(update={"tracking_uri": None})})


def _prepare(
    config: SweepConfig, board: BoardHandle, before: Mapping[str, str]
) -> tuple[SearchData, TestSplit, dict[str, Any]]:
    from kdsearch.data import load_splits
    from kdsearch.search.fingerprint import check_same_data
    from kdsearch.search.fingerprint import fingerprint
    from kdsearch.storage import PatientStorage
    from kdsearch.storage import open_storage
    from kdsearch.teacher import ensure_teacher

    splits = load_splits(config.dataset, config.seed)
    device = training_device(config.teacher.training.device, config.resources.gpus_per_trial)
    marks = fingerprint(config, splits, device)
    check_same_data(config, before, marks)
    # A teacher may have taken hours: it is kept until the storage takes it.
    storage = PatientStorage(open_storage(config.storage), BoardOutage(board))
    teachers: dict[str | None, Teacher] = {}
    for name, wanted in [(None, config.teacher), *config.teachers.items()]:
        same = next((teacher for teacher in teachers.values() if teacher.config == wanted), None)
        teachers[name] = same or ensure_teacher(wanted, splits, config.seed, storage, device=device)
    data = SearchData(splits.without_test(), teachers, LessonPlan.of(config))
    facts = _facts(teachers) | {"fingerprint": marks, "data": _data_facts(splits)}
    return data, splits.sealed_test(), facts


def _data_facts(splits: Splits) -> dict[str, Any]:
    return {
        "class_counts": splits.class_counts,
        "imbalance": splits.imbalance,
        "class_names": splits.class_names,
    }


def _facts(teachers: Mapping[str | None, Teacher]) -> dict[str, Any]:
    """The record of the sweep's own teacher, and of those the search chooses from, under `teachers`."""
    searched = {name: teacher.record() for name, teacher in teachers.items() if name is not None}
    return teachers[None].record() | ({"teachers": searched} if searched else {})


def training_device(wanted: str, gpus: float) -> torch.device:
    """The device that `training.device` means in a worker with `gpus` GPUs."""
    import torch

    if wanted == "auto":
        wanted = "cuda" if gpus > 0 and torch.cuda.is_available() else "cpu"
    return torch.device(wanted)
