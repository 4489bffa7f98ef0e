"""The networks that are compared: teacher, labels-only student and best student at some sample counts."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.report.summary import search_metric
from kdsearch.students.choice import Choice
from kdsearch.students.choice import best_student
from kdsearch.students.choice import chosen_recipes

if TYPE_CHECKING:
    from torch import nn

    from kdsearch.data import Splits
    from kdsearch.report.confirmation import Confirmed
    from kdsearch.sweep import Sweep

TEACHER, LABELS, DISTILLED = "teacher", "labels only", "best recipe"


@dataclass(frozen=True)
class Compared:
    """One network."""

    sample_count: int
    """The one in whose row it stands."""
    who: str
    label: str
    trial: str | None
    """The key of the confirmation that trained it; None of a teacher."""
    model: nn.Module


def choices_at(sweep: Sweep, counts: Sequence[int] | None) -> dict[int, Choice]:
    """The confirmed recipes at `counts`; None takes the smallest and the largest sample count.

    Raises:
        InputError: nothing is confirmed yet, or not at these.
    """
    choices = chosen_recipes(sweep.record, sweep.records)
    if not choices:
        allowed = f"nothing is confirmed yet, so there is no student to look at; `kdsearch resume {sweep.name}` goes on"
        raise InputError([Problem("NAME", sweep.name, allowed)])
    if counts is None:
        counts = sorted({min(choices), max(choices)})
    there = ", ".join(map(str, choices))
    wrong = [Problem("--counts", count, f"must be of {there}") for count in counts if count not in choices]
    if wrong:
        raise InputError(wrong)
    return {count: choices[count] for count in counts}


def networks(sweep: Sweep, choices: Mapping[int, Choice], splits: Splits) -> list[Compared]:
    """For each sample count the labels-only student where it is confirmed, the best student, and its teacher.

    Raises:
        InputError: a student or teacher that is not kept; nothing is trained here.
    """
    found: list[Compared] = []
    problems: list[Problem] = []
    teachers: dict[str | None, nn.Module | Problem] = {}
    for count, choice in choices.items():
        for who, recipe in _recipes(choice):
            best = best_student(recipe, search_metric(sweep.record), sweep.students)
            if best is None:
                problems.append(Problem("student", f"{recipe.label} at n={count}", f"is not kept in {sweep.storage}"))
            else:
                found.append(Compared(count, who, recipe.label, best.trial.key, best.student.model))
        name = choice.distilled.recipe.teacher
        if name not in teachers:
            teachers[name] = _teacher(sweep, name, splits)
        model = teachers[name]
        if isinstance(model, Problem):
            problems.append(model)
        else:
            found.append(Compared(count, TEACHER, name or str(sweep.record.teacher.get("name", TEACHER)), None, model))
    if problems:
        raise InputError(dict.fromkeys(problems))
    return found


def _recipes(choice: Choice) -> Iterator[tuple[str, Confirmed]]:
    if choice.labels is not None:
        yield LABELS, choice.labels
    yield DISTILLED, choice.distilled


def _teacher(sweep: Sweep, name: str | None, splits: Splits) -> nn.Module | Problem:
    """The network of a teacher; of several that are taken together the first."""
    from kdsearch.config.schema import TeacherConfig
    from kdsearch.config.stored import stored_part
    from kdsearch.storage import open_storage
    from kdsearch.teacher import find_teacher

    stored = sweep.record.config
    part = stored_part(stored, "teacher") if name is None else stored_part(stored, "teachers")[name]
    config = TeacherConfig.model_validate(part)
    teacher = find_teacher(config, splits, int(stored_part(stored, "seed")), open_storage(sweep.storage))
    if teacher is None:
        return Problem("teacher", name or config.name, f"is not kept in {sweep.storage}/teachers any more")
    return teacher.networks[0].model
