"""One teacher and one student, trained here and now: what `teacher` and `distill` share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kdsearch.errors import InputError
from kdsearch.errors import KdsearchError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from kdsearch.config.schema import SweepConfig
    from kdsearch.data import Splits
    from kdsearch.distiller import Distiller
    from kdsearch.ledger.records import Point
    from kdsearch.recipe import Recipe
    from kdsearch.teacher import Teacher


def refuse_several(config: SweepConfig) -> None:
    """
    Raises:
        InputError: there are several teachers or students to choose from, which is a sweep's to do.
    """
    several = {"teacher": [*config.teachers], "student": [*config.students]}
    problems = [
        Problem(group, names, "must be one; `kdsearch sweep` can choose among several")
        for group, names in several.items()
        if names
    ]
    if problems:
        raise InputError(problems)


def load(config: SweepConfig) -> tuple[Splits, Teacher]:
    """The data without its test split, and the teacher of the storage, trained first where there is none."""
    import torch

    from kdsearch.data import load_splits
    from kdsearch.storage import open_storage
    from kdsearch.teacher import ensure_teacher

    # As in a sweep's workers; with small networks, more threads than that are many times slower on a busy machine.
    torch.set_num_threads(max(1, int(config.resources.cpus_per_trial)))
    splits = load_splits(config.dataset, config.seed).without_test()
    teacher = ensure_teacher(
        config.teacher,
        splits,
        config.seed,
        open_storage(config.storage),
        device=config.teacher.training.device,
        on_evaluation=_show_progress,
    )
    return splits, teacher


def train(config: SweepConfig, recipe: Recipe, splits: Splits, teacher: Teacher, sample_count: int) -> dict[str, float]:
    """The metrics of one student of `recipe` after its whole budget.

    Raises:
        KdsearchError: its loss became infinite or not a number.
    """
    from kdsearch import api
    from kdsearch.distiller import NonFiniteLossError
    from kdsearch.seeds import derive_seed
    from kdsearch.teacher import LessonPlan
    from kdsearch.teacher.training import resolve_device

    try:
        result = api.train_student(
            splits,
            teacher,
            recipe,
            sample_count=sample_count,
            student=config.student,
            training=config.training,
            seed=config.seed,
            subset_seed=derive_seed(config.seed, "subset", "search"),
            device=str(resolve_device(config.training.device)),
            plan=LessonPlan.of(config),
            layer=config.features.student_layer,
        )
    except NonFiniteLossError as error:
        raise KdsearchError(f"{recipe.label()}: {error}; try a lower training.learning_rate") from None
    return result.metrics


def _show_progress(distiller: Distiller, point: Point) -> None:
    if sys.stderr.isatty():
        accuracy = point.metrics["val_accuracy"]
        print(f"\rteacher: step {distiller.step}, val_accuracy {accuracy:.4f} ", end="", file=sys.stderr, flush=True)
