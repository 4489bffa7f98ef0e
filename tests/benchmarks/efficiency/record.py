"""Train the recorded students: every recipe of the design, at every sample count, over several seeds.

    python -m tests.benchmarks.efficiency.record [--dataset digits] [--output FILE]

Packs of kdsearch's own students, one process and one thread; about ten minutes for digits and twenty for Fashion-MNIST
on a quiet core. Writes `recorded.parquet` beside this file: one row per student, with its validation accuracy at the
decision points (`step_1`, `step_2`, `step_4`) and at the end (`step_8`). The test split is not read. With `--dataset`
the rows of the others stay.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import kdsearch
from kdsearch.config.schema import SweepConfig
from kdsearch.data import Splits
from kdsearch.distiller import Distiller
from kdsearch.distiller import EvaluationSet
from kdsearch.distiller import new_distiller
from kdsearch.distiller.packed import PackedDistiller
from kdsearch.models.pack_size import pack_size
from kdsearch.recipe import Recipe
from kdsearch.search.strategy import DECISION_STEPS
from kdsearch.search.strategy import LAST_STEP
from kdsearch.seeds import derive_seed
from kdsearch.teacher import LessonPlan
from kdsearch.teacher import Teacher
from kdsearch.teacher import give_lesson
from tests.benchmarks.efficiency.design import DATASETS
from tests.benchmarks.efficiency.design import PARAMETERS
from tests.benchmarks.efficiency.design import SAMPLE_COUNTS
from tests.benchmarks.efficiency.design import SEEDS
from tests.benchmarks.efficiency.design import design
from tests.benchmarks.efficiency.design import sweep_config

FILE = Path(__file__).with_name("recorded.parquet")
STEPS = (*DECISION_STEPS.values(), LAST_STEP)

Pack = list[tuple[int, dict[str, Any]]]
"""Recipes with their numbers."""


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", choices=DATASETS, action="append")
    parser.add_argument("--output", type=Path, default=FILE)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    datasets = options.dataset or DATASETS
    found = pd.read_parquet(options.output) if options.output.exists() else pd.DataFrame({"dataset": []})
    found = found[~found["dataset"].isin(datasets)]
    for dataset in datasets:
        for rows in _record(dataset):
            found = pd.concat([frame for frame in (found, rows) if len(frame)])
            found = found.sort_values(["dataset", "sample_count", "recipe", "seed"])
            found.to_parquet(options.output, index=False, compression="zstd")


def _record(dataset: str) -> Iterator[pd.DataFrame]:
    """Seed after seed, so that what is there when it is stopped is of use."""
    data, config = kdsearch.load_dataset(dataset), sweep_config(dataset, "training.evaluations=8")
    teacher = kdsearch.train_teacher(data, config.teacher)
    scored = EvaluationSet.of(data.validation, teacher.logits_of(data.validation.ids))
    recipes = list(enumerate(design()))
    size = pack_size(config.student, data.input_shape, data.class_count)
    for seed in range(SEEDS):
        began, rows = time.perf_counter(), []
        for n in SAMPLE_COUNTS:
            for first in range(0, len(recipes), size):
                pack = recipes[first : first + size]
                students = _students(config, data, teacher, n, seed, pack)
                for (number, params), values in zip(pack, _train(students, scored), strict=True):
                    place = {"dataset": dataset, "sample_count": n, "recipe": number, "seed": seed}
                    rows.append(place | {name: params.get(name) for name in PARAMETERS} | values)
        print(f"{dataset} seed {seed}: {len(rows)} students in {time.perf_counter() - began:.0f} s", flush=True)
        yield pd.DataFrame(rows).astype({f"step_{step}": "float32" for step in STEPS})


def _students(config: SweepConfig, data: Splits, teacher: Teacher, n: int, seed: int, recipes: Pack) -> list[Distiller]:
    device = torch.device("cpu")
    made = []
    for number, params in recipes:
        recipe = Recipe.from_params(params)
        lesson = give_lesson(
            LessonPlan.of(config), data, teacher, recipe.source, sample_count=n, subset_seed=seed, device=device
        )
        own = derive_seed(seed, n, number)
        made.append(new_distiller(config.student, recipe, config.training, lesson.data, seed=own, device=device))
    return made


def _train(students: list[Distiller], scored: EvaluationSet) -> list[dict[str, float]]:
    """Accuracy of each by decision step; not a number from where a loss was none."""
    left = list(students)
    pack = PackedDistiller(left)
    found: list[dict[str, float]] = [{f"step_{step}": float("nan") for step in STEPS} for _ in students]
    total = students[0].total_steps
    for share, step in {**DECISION_STEPS, 1.0: LAST_STEP}.items():
        failures = pack.advance(round(share * total), lambda: False)
        if failures:
            left = [student for student in left if student not in failures]
            pack = PackedDistiller(left)
        pack.evaluate([scored] * len(left))
        for student in left:
            found[students.index(student)][f"step_{step}"] = student.series[-1].metrics["val_accuracy"]
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
