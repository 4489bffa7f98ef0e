"""Data, teacher and signals, made ready on the cluster once per attempt and shared through Ray's object store."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from kdsearch.config.schema import SweepConfig
from kdsearch.data import Splits
from kdsearch.data import TestSplit
from kdsearch.errors import KdsearchError
from kdsearch.recipe import Source
from kdsearch.search.board import BoardHandle
from kdsearch.search.board import BoardOutage
from kdsearch.search.board import on_this_node
from kdsearch.search.sharding import ShardedAnswers
from kdsearch.teacher import Lesson
from kdsearch.teacher import LessonPlan
from kdsearch.teacher import Teacher

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from ray import ObjectRef

    from kdsearch.distiller import EvaluationSet

COPY_SECONDS = 600.0
"""So long the driver's node is given to fetch the data; where it has no room for them the sweep goes on without."""


SIGNAL_SHARE = 0.3
"""Of a node's object store: the data set is there too, and Ray's own."""


@dataclass(frozen=True)
class SearchData:
    """What search and controls see: train pool and validation split, and what teachers say about their samples."""

    splits: Splits
    teachers: Mapping[str | None, Teacher]
    """By the name under which a recipe has it; None is the sweep's own."""
    plan: LessonPlan
    validation_logits: Mapping[str | None, NDArray[np.float32]]
    """Of each teacher, one answer per sample of the validation split [n, C]."""

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

        return EvaluationSet.of(self.splits.validation, self.validation_logits[teacher])


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
    no CPU, so that the trials' workers start up meanwhile. Elsewhere it is ready when the driver's node has a copy:
    what was on lost nodes alone would be made again, by a task that waits for a place that trials have which wait for
    what it makes.
    """
    import ray

    cpus = 0.0 if config.cluster.is_own else config.resources.cpus_per_trial
    task: Any = ray.remote(_prepare)
    options = {"num_returns": 3, "num_cpus": cpus, "num_gpus": config.resources.gpus_per_trial}
    data, test, teacher = task.options(**options).remote(_without_servers(config), board, before)
    if not config.cluster.is_own:
        copying: Any = ray.remote(_once_copied)
        teacher = copying.options(num_cpus=0, scheduling_strategy=on_this_node()).remote(teacher, [data, test])
    return Preparation(data, test, teacher)


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
    from kdsearch.teacher import with_stored_signals

    keep_to_share(config.resources.gpus_per_trial)
    splits = load_splits(config.dataset, config.seed)
    device = training_device(config.teacher.training.device, config.resources.gpus_per_trial)
    marks = fingerprint(config, splits, device)
    check_same_data(config, before, marks)
    # A teacher may have taken hours: it is kept until the storage takes it.
    plain = open_storage(config.storage)
    storage = PatientStorage(plain, BoardOutage(board))
    asking = ShardedAnswers(config.resources, config.teacher.training.device)
    teachers: dict[str | None, Teacher] = {}
    for name, wanted in [(None, config.teacher), *config.teachers.items()]:
        same = next((teacher for teacher in teachers.values() if teacher.config == wanted), None)
        teachers[name] = same or ensure_teacher(wanted, splits, config.seed, storage, device=device, ask=asking)
    validation = {name: teacher.logits_of(splits.validation.ids) for name, teacher in teachers.items()}
    if signal_bytes(teachers.values()) > memory_for_signals(config.resources.signals_in_memory):
        teachers = {name: with_stored_signals(teacher, plain) for name, teacher in teachers.items()}
    data = SearchData(splits.without_test(), teachers, LessonPlan.of(config), validation)
    facts = _facts(teachers) | {"fingerprint": marks, "data": _data_facts(splits)}
    return data, splits.sealed_test(), facts


def _once_copied(facts: dict[str, Any], refs: list[ObjectRef[Any]]) -> dict[str, Any]:
    """`facts`, when what `refs` refer to is on the node on which this runs, or takes too long to come."""
    import ray

    ray.wait(refs, num_returns=len(refs), timeout=COPY_SECONDS)
    return facts


def signal_bytes(teachers: Iterable[Teacher]) -> int:
    """How much memory the signals of all of them take together."""
    networks = {network.hash: network for teacher in teachers for network in teacher.networks}
    return sum(network.signals.nbytes for network in networks.values())


def memory_for_signals(wanted: int | Literal["auto"]) -> int:
    """The bytes of signals that may be in Ray's object store: `wanted` MiB, or a share of the smallest node's store."""
    import ray

    if wanted != "auto":
        return wanted * 2**20
    stores = [node["Resources"].get("object_store_memory", 0) for node in ray.nodes() if node["Alive"]]
    return int(SIGNAL_SHARE * min(stores, default=0))


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


def training_devices(wanted: str, gpus: float) -> list[torch.device]:
    """All devices of a worker with `gpus` GPUs, the one that `training.device` means first."""
    import torch

    first = training_device(wanted, gpus)
    more = range(1, int(gpus)) if first.type == "cuda" else ()
    return [first, *(torch.device("cuda", index) for index in more)]


def keep_to_share(gpus: float) -> None:
    """Give this process no more of its GPU's memory than the share it asked for: its neighbours have the rest."""
    import torch

    share = memory_share(gpus)
    if share is not None and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(share)


def memory_share(gpus: float) -> float | None:
    """Of a GPU's memory, for one of several processes on it; None where a process has its GPUs, if any, to itself."""
    return gpus if 0 < gpus < 1 else None
