"""The floor: the trainings alone, in one process per core; no search, no record of anything."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tests.benchmarks.contenders.ends import Ends
from tests.benchmarks.contenders.ends import process_count
from tests.benchmarks.contenders.own_training import train_own
from tests.benchmarks.contenders.space import draw
from tests.benchmarks.contenders.training import Recipe
from tests.benchmarks.contenders.training import train
from tests.benchmarks.contenders.workload import Material
from tests.benchmarks.contenders.workload import Workload
from tests.benchmarks.contenders.workload import load_material

Training = Callable[[Material, int, Recipe, int], float]

_material: Material
"""Of a process of the pool."""


def run(
    workload: Workload,
    material: Path,
    folder: Path,
    trials_per_count: int,
    overrides: Sequence[str],
    *,
    is_own: bool = False,
) -> Ends:
    """
    Args:
        is_own: whether kdsearch's own loop trains, instead of one in plain torch.
    """
    stream = random.Random(0)
    counts = list(workload.sample_counts) * trials_per_count
    recipes = [draw(stream) for _ in counts]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(process_count(), spawn, _load, (material,)) as pool:
        work = partial(_train, train_own if is_own else train)
        ends = list(pool.map(work, counts, recipes, range(len(counts))))
    return Ends([ends], time.time())


def _load(folder: Path) -> None:
    global _material
    _material = load_material(folder)


def _train(training: Training, sample_count: int, recipe: Recipe, seed: int) -> float:
    training(_material, sample_count, recipe, seed)
    return time.time()
