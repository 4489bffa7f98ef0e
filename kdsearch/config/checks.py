"""Checks of a typed configuration that need more than one key or the outside world. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdsearch.config.check_locations import location_problems
from kdsearch.config.check_machine import machine_problems
from kdsearch.config.check_models import all_students
from kdsearch.config.check_models import all_teachers
from kdsearch.config.check_models import fit_problems
from kdsearch.config.check_models import model_problems
from kdsearch.config.check_models import target_problems
from kdsearch.config.check_space import space_problems
from kdsearch.config.schema import DatasetConfig
from kdsearch.config.schema import SweepConfig
from kdsearch.config.suggest import one_of
from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.objectives.spec import TEMPERATURE
from kdsearch.recipe import STUDENT
from kdsearch.recipe import TEACHER

if TYPE_CHECKING:
    from kdsearch.data import DatasetInfo


@dataclass(frozen=True)
class Checked:
    problems: list[Problem]
    """Everything that is wrong with a configuration beyond its types."""
    data: DatasetInfo | None
    """What its data are, where they can be looked at."""


def check(config: SweepConfig) -> Checked:
    networks = model_problems(config)
    data, data_problems = _look_at_data(config)
    problems = [
        *space_problems(config.search_space, {TEACHER: config.teachers, STUDENT: config.students}),
        *_pareto_problems(config),
        *_control_problems(config),
        *networks,
        *data_problems,
        *(fit_problems(config, data) if data is not None and not networks else []),
        *_pack_problems(config),
        *_gpu_problems(config),
        *_precision_problems(config),
        *location_problems(config),
        *machine_problems(config),
    ]
    return Checked(problems, data)


def check_elsewhere(config: SweepConfig) -> list[Problem]:
    """What is wrong with the configuration of a sweep for other machines: the data and devices there are not seen."""
    return [
        *space_problems(config.search_space, {TEACHER: config.teachers, STUDENT: config.students}),
        *_pareto_problems(config),
        *_control_problems(config),
        *model_problems(config),
        *_dataset_problems(config.dataset),
        *_pack_problems(config),
        *_gpu_problems(config),
        *_precision_problems(config),
        *location_problems(config),
    ]


def _pareto_problems(config: SweepConfig) -> Iterable[Problem]:
    if config.search.pareto is None:
        return
    if config.pruner != "none":
        yield Problem("pruner", config.pruner, f"must be none, because search.pareto={config.search.pareto}")
    if config.sampler == "cmaes":
        yield Problem("sampler", config.sampler, f"must be another, because search.pareto={config.search.pareto}")
    if STUDENT not in config.search_space.parameters:
        allowed = "must be null, because one student has one cost; student=[NAME,NAME] gives a choice"
        yield Problem("search.pareto", config.search.pareto, allowed)


def _gpu_problems(config: SweepConfig) -> Iterable[Problem]:
    """Of more than one GPU for a trial, each of which takes its share of every batch."""
    gpus = config.resources.gpus_per_trial
    if gpus <= 1:
        return
    if gpus != int(gpus):
        yield Problem("resources.gpus_per_trial", gpus, "must be below 1, or a whole number")
    if config.training.device not in ("auto", "cuda"):
        allowed = f"must be auto or cuda, because resources.gpus_per_trial={gpus:g} shares each batch among the GPUs"
        yield Problem("training.device", config.training.device, allowed)
    if config.training.batch_size < gpus:
        yield Problem("training.batch_size", config.training.batch_size, f"must be >= {gpus:g}, one sample per GPU")


def _pack_problems(config: SweepConfig) -> Iterable[Problem]:
    size = config.resources.trials_per_worker
    if size == "auto" or size == 1:
        return
    if config.resources.gpus_per_trial > 1:
        allowed = f"must be auto or 1, because resources.gpus_per_trial={config.resources.gpus_per_trial:g}"
        yield Problem("resources.trials_per_worker", size, allowed)
    for key, student in all_students(config):
        if student.dropout > 0:
            yield Problem("resources.trials_per_worker", size, f"must be auto or 1 where {key}.dropout > 0")


def _precision_problems(config: SweepConfig) -> Iterable[Problem]:
    """fp16 where `auto` can only mean the CPU."""
    trainings = [(key, teacher.training) for key, teacher in all_teachers(config)]
    for key, training in [("training", config.training), *((f"{key}.training", found) for key, found in trainings)]:
        if training.precision == "fp16" and training.device == "auto" and config.resources.gpus_per_trial == 0:
            allowed = "must be fp32 or bf16 where trials have no GPU; resources.gpus_per_trial gives them one"
            yield Problem(f"{key}.precision", training.precision, allowed)


def _control_problems(config: SweepConfig) -> Iterable[Problem]:
    from kdsearch.search.plan import CONTROLS

    seen: set[tuple[str, bool]] = set()
    for index, entry in enumerate(config.controls):
        key = f"controls[{index}]"
        names = [entry] if isinstance(entry, str) else list(entry)
        if len(names) != 1:
            yield Problem(
                key, entry, "must be a name, or one name with its values, such as {label_smoothing:[0.05,0.1]}"
            )
        for name in names:
            if name not in CONTROLS:
                yield Problem(key, name, one_of(name, CONTROLS))
            if (name, isinstance(entry, str)) in seen:
                yield Problem(key, name, "must not be named twice")
            if name in ("teachers", "students") and not getattr(config, name):
                yield Problem(key, name, f"there are no {name}; {name[:-1]}=[NAME,NAME] gives them")
        seen.update((name, isinstance(entry, str)) for name in names)
        if not isinstance(entry, str):
            yield from _control_value_problems(key, entry)


def _control_value_problems(key: str, entry: dict[str, tuple[float, ...]]) -> Iterable[Problem]:
    from kdsearch.search.plan import WITH_VALUES

    for name, values in entry.items():
        if name not in WITH_VALUES:
            yield Problem(key, entry, f"{name} takes no values; only {' and '.join(WITH_VALUES)} do")
            continue
        if not values or len(set(values)) != len(values):
            yield Problem(key, entry, "must list distinct values, at least one")
        for value in values:
            reason = TEMPERATURE.problem(value) if name == "kl" else _smoothing_problem(value)
            if reason is not None:
                yield Problem(f"{key}.{name}", value, reason)


def _smoothing_problem(value: float) -> str | None:
    return None if 0 <= value < 1 else "must be >= 0 and < 1"


def _look_at_data(config: SweepConfig) -> tuple[DatasetInfo | None, list[Problem]]:
    wrong_dataset = list(_dataset_problems(config.dataset))
    if wrong_dataset:
        return None, wrong_dataset
    from kdsearch.data import describe

    try:
        data = describe(config.dataset)
    except InputError as error:
        return None, list(error.problems)
    return data, list(_count_problems(config, data.pool_count, data.class_count))


def _dataset_problems(config: DatasetConfig) -> Iterable[Problem]:
    from kdsearch.data import DATASETS

    if config.target is not None:
        yield from target_problems("dataset._target_", config.target)
    elif config.name not in DATASETS:
        yield Problem("dataset.name", config.name, f"{one_of(config.name, DATASETS)}, or have a `dataset._target_`")


def _count_problems(config: SweepConfig, pool_count: int, class_count: int) -> Iterable[Problem]:
    pool = f"the train pool of {config.dataset.name} holds {pool_count} samples"
    for count in config.sample_counts:
        if count > pool_count:
            yield Problem("sample_counts", count, f"must be <= {pool_count}: {pool}")
        if count < class_count and config.dataset.subset != "uniform":
            allowed = f"must be >= {class_count}, one sample of each class, or dataset.subset=uniform"
            yield Problem("sample_counts", count, allowed)
    most = max((count for count in config.sample_counts if count <= pool_count), default=0)
    if most + config.dataset.unlabelled_count > pool_count:
        allowed = f"must be <= {pool_count - most} beside {most} labelled samples: {pool}"
        yield Problem("dataset.unlabelled_count", config.dataset.unlabelled_count, allowed)
    for key, teacher in all_teachers(config):
        teacher_count = teacher.sample_count
        if teacher_count is not None and teacher_count > pool_count:
            yield Problem(f"{key}.sample_count", teacher_count, f"must be <= {pool_count}: {pool}")
        if teacher_count is not None and teacher_count < class_count and config.dataset.subset != "uniform":
            yield Problem(f"{key}.sample_count", teacher_count, f"must be >= {class_count}, one sample of each class")
