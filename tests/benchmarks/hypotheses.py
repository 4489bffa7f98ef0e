"""What distillation lives on: students of the teacher, and of controls that take a part of what it says away.

    python -m tests.benchmarks.hypotheses [SEEDS]

Fashion-MNIST at n=600 with the shipped defaults, alpha=1; each seed draws its own subset and its own initial weights,
the same ones for every recipe, so gains and differences are paired. The test split is not read.

    label_smoothing   regularisation alone: labels with epsilon=0.1, no teacher
    smoothed_teacher  the same through the distillation loss: a hand-made teacher, 0.99 at the label
    shuffled_teacher  the teacher's confidence without its dark knowledge: the other classes change places
    random_head       the teacher's features under a head that knows nothing
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import kdsearch
from kdsearch.report.statistics import Estimate
from kdsearch.report.statistics import estimate

SAMPLE_COUNT = 600
TEMPERATURE = 4.0
RIVALS: dict[str, dict[str, Any]] = {"labels": {}, "label_smoothing": {"label_smoothing": 0.1}}
"""Without a teacher."""
DISTILLED: dict[str, dict[str, Any]] = {
    "kl": {"temperature": TEMPERATURE},
    "mse": {"objective": "mse"},
    "shuffled_teacher": {"temperature": TEMPERATURE, "signal": "shuffled"},
    "smoothed_teacher": {"temperature": TEMPERATURE, "signal": "smoothed"},
    "random_head": {"temperature": TEMPERATURE, "signal": "random_head"},
}

Accuracies = Mapping[str, Sequence[float]]
"""Of each recipe, validation accuracy by seed, a fraction."""


def accuracies(seeds: int) -> Accuracies:
    """Train one teacher, and a student of every recipe for each seed."""
    data = kdsearch.load_dataset("fashion_mnist")
    teacher = kdsearch.train_teacher(data)
    found: dict[str, list[float]] = {}
    for recipes, guide in ((RIVALS, None), (DISTILLED, teacher)):
        for name, words in recipes.items():
            found[name] = [
                kdsearch.distill(
                    data, guide, sample_count=SAMPLE_COUNT, alpha=1.0, seed=seed, subset_seed=seed, **words
                ).metrics["val_accuracy"]
                for seed in range(seeds)
            ]
    return found


def difference(found: Accuracies, name: str, other: str) -> Estimate:
    """How much more accurate `name` is than `other`, with its 95 % t-interval."""
    return estimate([a - b for a, b in zip(found[name], found[other], strict=True)])


def table(found: Accuracies) -> str:
    """Every recipe in percentage points, ± the half-width of its 95 % interval."""
    rows: list[tuple[str, ...]] = [("recipe", "accuracy", "gain over labels", "against kl", "against mse")]
    for name in found:
        others = [difference(found, name, other) if name != other else None for other in ("labels", "kl", "mse")]
        rows.append((name, _shown(estimate(found[name])), *map(_signed, others)))
    head = f"fashion_mnist, n={SAMPLE_COUNT}, alpha=1, {len(found['labels'])} seeds: validation accuracy %"
    return "\n".join([head, *(f"{name:<18}" + "".join(f"{cell:>18}" for cell in cells) for name, *cells in rows)])


def _shown(found: Estimate) -> str:
    return f"{100 * found.mean:.1f} ± {100 * (found.ci95 or 0):.1f}"


def _signed(found: Estimate | None) -> str:
    return "" if found is None else f"{100 * found.mean:+.1f} ± {100 * (found.ci95 or 0):.1f}"


if __name__ == "__main__":
    print(table(accuracies(int(sys.argv[1]) if len(sys.argv) > 1 else 4)))
