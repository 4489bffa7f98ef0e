"""How many labels a student costs: its own, those that chose its recipe, and those its own teacher has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdsearch.ledger.records import SweepRecord
from kdsearch.recipe import Recipe


@dataclass(frozen=True)
class LabelsUsed:
    """None stands for a number that is not recorded (yet)."""

    student: int
    """n."""
    validation: int | None
    teacher: int | None
    """Of the recipe's own teacher, of several networks the most that one has seen; 0 where nothing is heard of it."""

    def __str__(self) -> str:
        """`50 + 300 + 1,047`."""
        return " + ".join(
            "?" if value is None else f"{value:,}" for value in (self.student, self.validation, self.teacher)
        )


def labels_used(sweep: SweepRecord, recipe: Recipe, sample_count: int) -> LabelsUsed:
    return LabelsUsed(sample_count, validation_count(sweep), _of_teacher(sweep, recipe))


def validation_count(sweep: SweepRecord) -> int | None:
    """How many labels validation uses."""
    dataset: Mapping[str, Any] = sweep.config.get("dataset", {})
    value = dataset.get("validation_count")
    return None if value is None else int(value)


def teacher_facts(sweep: SweepRecord, name: str | None) -> Mapping[str, Any]:
    """What is recorded of one of the sweep's `teachers`, or, by None, of its own; empty before it was trained."""
    facts: Mapping[str, Any] = sweep.teacher if name is None else sweep.teacher.get("teachers", {}).get(name, {})
    return facts


def _of_teacher(sweep: SweepRecord, recipe: Recipe) -> int | None:
    """A teacher made by hand of the labels alone has seen none but the student's own."""
    source = recipe.source
    hears = (source.is_taught and source.signal != "smoothed") or source.feature is not None
    if not hears:
        return 0
    value = teacher_facts(sweep, recipe.teacher).get("sample_count")
    return None if value is None else int(value)
