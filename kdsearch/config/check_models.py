"""Checks of networks: their names, whether they fit the data, weights from files, the layers that are compared.

What needs torch is looked at only where it is asked for; it takes seconds to import.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdsearch.config.locations import PRETRAINED
from kdsearch.config.schema import ModelConfig
from kdsearch.config.schema import SweepConfig
from kdsearch.config.schema import TeacherConfig
from kdsearch.config.schema import TrainingConfig
from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.imports import import_target
from kdsearch.recipe import FEATURE_OBJECTIVE

if TYPE_CHECKING:
    from kdsearch.data import DatasetInfo


def all_teachers(config: SweepConfig) -> Iterator[tuple[str, TeacherConfig]]:
    """Every teacher and member of one, by its key."""
    yield from _with_members("teacher", config.teacher)
    for name, teacher in config.teachers.items():
        yield from _with_members(f"teachers.{name}", teacher)


def _with_members(key: str, teacher: TeacherConfig) -> Iterator[tuple[str, TeacherConfig]]:
    yield key, teacher
    for name, member in teacher.members.items():
        yield from _with_members(f"{key}.members.{name}", member)


def all_students(config: SweepConfig) -> Iterator[tuple[str, ModelConfig]]:
    yield "student", config.student
    yield from ((f"students.{name}", student) for name, student in config.students.items())


def all_models(config: SweepConfig) -> Iterator[tuple[str, ModelConfig]]:
    yield from all_students(config)
    yield from ((f"{key}.model", teacher.model) for key, teacher in all_teachers(config))


def model_problems(config: SweepConfig) -> list[Problem]:
    """What is wrong with each network by itself."""
    return [problem for key, model in all_models(config) for problem in network_problems(key, model)]


def fit_problems(config: SweepConfig, data: DatasetInfo) -> list[Problem]:
    """What keeps networks, weights, augmentations and feature objectives from the data and from each other; asked only
    of networks that are all right by themselves."""
    problems = [problem for key, model in all_models(config) for problem in _input_problems(key, model, data)]
    for key, teacher in all_teachers(config):
        problems += _weights_problems(key, teacher, data)
        problems += _augmentation_problems(f"{key}.training", teacher.training, data)
    problems += _augmentation_problems("training", config.training, data)
    return problems or list(_feature_problems(config, data))


def network_problems(key: str, config: ModelConfig) -> Iterable[Problem]:
    """What is wrong with the name or the import path of a network."""
    from kdsearch.models.names import name_problem
    from kdsearch.models.names import pretrained_problem

    if config.target is not None:
        yield from target_problems(f"{key}._target_", config.target)
        return
    wrong_name = name_problem(config.name)
    if wrong_name is not None:
        yield Problem(f"{key}.name", config.name, wrong_name)
    elif config.pretrained and (reason := pretrained_problem(config.name)):
        yield Problem(f"{key}.pretrained", True, reason)


def target_problems(key: str, target: str) -> list[Problem]:
    """Why an import path can't be used."""
    try:
        import_target(key, target)
    except InputError as error:
        return list(error.problems)
    return []


def _input_problems(key: str, config: ModelConfig, data: DatasetInfo) -> Iterable[Problem]:
    from kdsearch.models.names import MODELS
    from kdsearch.models.names import input_problem

    if config.target is None and config.name in MODELS:
        reason = input_problem(config.name, data.input_shape, data.vocabulary_size)
        if reason is not None:
            yield Problem(key, config.name, reason)
        return
    from kdsearch.models import model_cost

    try:
        model_cost(config, data.input_shape, data.class_count, data.vocabulary_size)
    except InputError as error:
        yield from (Problem(_under(key, problem.key), problem.value, problem.allowed) for problem in error.problems)


def _under(key: str, problem_key: str) -> str:
    return key if problem_key == "model" else f"{key}.{problem_key}"


def _weights_problems(key: str, teacher: TeacherConfig, data: DatasetInfo) -> Iterable[Problem]:
    if teacher.weights is None:
        return
    if teacher.weights == PRETRAINED:
        reason = _published_problem(teacher.model, data.class_count)
        if reason is not None:
            yield Problem(f"{key}.weights", PRETRAINED, reason)
        return
    from kdsearch.models.weights import weights_problems

    yield from weights_problems(
        f"{key}.weights",
        teacher.weights,
        teacher.model,
        data.input_shape,
        data.class_count,
        data.vocabulary_size,
    )


def _published_problem(model: ModelConfig, class_count: int) -> str | None:
    """Why the library's own weights can't be a teacher as they are, or None."""
    from kdsearch.models.names import LIBRARIES
    from kdsearch.models.names import family
    from kdsearch.models.names import pretrained_problem

    if model.target is not None or family(model.name) not in LIBRARIES:
        return "needs a network of torchvision or timm"
    from kdsearch.models.libraries import published_class_count

    known = published_class_count(model.name)
    if known == class_count:
        return None
    other = "model.pretrained=true trains it further, with a new head"
    return pretrained_problem(model.name) or (
        f"the weights are of a network with {known} classes, the data set has {class_count}; {other}"
    )


def _augmentation_problems(key: str, training: TrainingConfig, data: DatasetInfo) -> Iterable[Problem]:
    if not training.augmentation.transforms:
        return
    from kdsearch.augmentation import transform_problems

    yield from transform_problems(f"{key}.augmentation.transforms", training.augmentation.transforms, data.input_shape)


def _feature_problems(config: SweepConfig, data: DatasetInfo) -> Iterable[Problem]:
    searched = config.search_space.parameters.get(FEATURE_OBJECTIVE)
    if searched is None:
        return
    from kdsearch.features.fit import feature_fit_problems
    from kdsearch.features.spec import FEATURE_SPECS

    names = [str(name) for name in searched.choices or FEATURE_SPECS if name in FEATURE_SPECS]
    teachers = {"teacher": config.teacher} | {f"teachers.{name}": t for name, t in config.teachers.items()}
    for key, teacher in teachers.items():
        if teacher.is_ensemble and names:
            yield Problem(key, teacher.name, "feature objectives need a teacher of one network; this one has several")
    pairs = itertools.product((student for _, student in all_students(config)), teachers.values())
    found = [p for student, t in pairs for p in feature_fit_problems(names, student, t, config.features, data)]
    yield from {str(problem): problem for problem in found}.values()
