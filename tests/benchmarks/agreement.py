"""Whether the benchmark's training in plain torch is the same computation as kdsearch's."""

from __future__ import annotations

import itertools
from pathlib import Path

from kdsearch.report.statistics import estimate
from tests.benchmarks.contenders.own_training import train_own
from tests.benchmarks.contenders.training import train
from tests.benchmarks.contenders.workload import Workload
from tests.benchmarks.contenders.workload import load_material

RECIPES = ({"objective": "kl", "alpha": 0.9, "temperature": 4.0}, {"objective": "mse", "alpha": 0.6})
MARGIN = 0.01
"""Of accuracy, a fraction; what the seeds' noise leaves open comes on top."""


def check_agreement(workload: Workload, folder: Path, seeds: int = 4) -> dict[str, float]:
    """Train the same recipes on the same samples both ways; returns both mean accuracies on the validation split.

    Raises:
        RuntimeError: they differ by more than `MARGIN` and the half-width of the difference's 95 % interval.
    """
    material = load_material(folder)
    plain, own = [], []
    for n, recipe, seed in itertools.product(workload.sample_counts, RECIPES, range(seeds)):
        plain.append(train(material, n, recipe, seed))
        own.append(train_own(material, n, recipe, seed))
    difference = estimate([a - b for a, b in zip(plain, own, strict=True)])
    if abs(difference.mean) > MARGIN + (difference.ci95 or 0):
        raise RuntimeError(f"plain torch and kdsearch train differently: val_accuracy {difference.mean:+.4f}")
    return {
        "plain_accuracy": round(estimate(plain).mean, 4),
        "kdsearch_accuracy": round(estimate(own).mean, 4),
        "difference": round(difference.mean, 4),
        "ci95": round(difference.ci95 or 0, 4),
    }
