"""The recorded students as a task for the simulation, and what a search of it is worth."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from functools import cached_property
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from kdsearch.recipe import Recipe
from tests.benchmarks.efficiency.design import coordinates
from tests.benchmarks.efficiency.design import design
from tests.benchmarks.efficiency.design import recipes
from tests.simulation.recorded import STEPS
from tests.simulation.recorded import RecordedTask
from tests.simulation.recorded import Recording

FILE = Path(__file__).with_name("recorded.parquet")
CANDIDATES = 4096
"""Recipes among which the best one is looked for."""


@dataclass(frozen=True)
class Task:
    dataset: str
    students: RecordedTask

    @cached_property
    def best(self) -> dict[int, float]:
        """The highest expected accuracy by sample count, over a Sobol sequence and the recorded recipes."""
        places = np.array([coordinates(params) for params in (*design(), *recipes(CANDIDATES, seed=1))])
        return {n: float(found.expected(places)[:, -1].max()) for n, found in self.students.recordings.items()}

    def fits(self) -> dict[int, float]:
        """How much of what recipes differ in the students' model foretells, by sample count."""
        return {n: round(recording.held_out_r2(), 2) for n, recording in self.students.recordings.items()}

    def regret(self, recipe: Recipe, n: int) -> float:
        """How much less accurate than the best one `recipe` is, on average over seeds."""
        return max(0.0, self.best[n] - float(self._expected(recipe, n)[-1]))

    def confirmed(self, recipe: Recipe, n: int, seeds: int, chance: random.Random) -> float:
        """Its mean accuracy over fresh seeds."""
        recording, expected = self.students.recordings[n], self._expected(recipe, n)
        return float(np.mean([recording.student(expected, chance)[-1] for _ in range(seeds)]))

    def _expected(self, recipe: Recipe, n: int) -> np.ndarray:
        return _expected_at(self.students.recordings[n], tuple(coordinates(recipe.flat())))


@cache
def load_task(dataset: str) -> Task:
    frame = pd.read_parquet(FILE)
    return Task(dataset, RecordedTask(dict(_recordings(frame[frame["dataset"] == dataset])), coordinates))


def _recordings(frame: pd.DataFrame) -> Iterator[tuple[int, Recording]]:
    for n, group in frame.groupby("sample_count"):
        group = group.sort_values(["recipe", "seed"])
        rows = group.drop_duplicates("recipe").to_dict("records")
        places = np.array([coordinates({k: v for k, v in row.items() if not pd.isna(v)}) for row in rows])
        values = group[[f"step_{step}" for step in STEPS]].to_numpy(dtype=float)
        yield int(str(n)), Recording(places, values.reshape(len(rows), -1, len(STEPS)))


@lru_cache(maxsize=16)
def _expected_at(recording: Recording, place: tuple[float, ...]) -> np.ndarray:
    return recording.expected(np.array([place]))[0]
