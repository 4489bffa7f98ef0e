"""Synthetic students: accuracy as a function of recipe, sample count, share of the training, and seed."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from kdsearch.ledger import Point
from kdsearch.recipe import Recipe
from kdsearch.search.pack import Slot

CHANCE = 0.1
EPOCHS = 20

_OBJECTIVES = {"kl": 0.03, "mse": 0.025, "dkd": 0.035, "labels": 0.0}
"""How much the best temperature and weight of each objective gain at n=100; others gain as `kl` does, less 0.01."""


def potential(recipe: Recipe, sample_count: int) -> float:
    """What a recipe reaches on average: a power law of the sample count, and a gain that is largest for small counts.

    The best temperature falls from 12 to 3 and the best alpha from 1 to 0.7 as the sample count grows.
    """
    size = min(1.0, math.log10(max(sample_count, 10)) / 4)
    labels = 0.98 - 1.2 / math.sqrt(sample_count + 10)
    if recipe.objective == "labels":
        return labels + (0.005 if recipe.label_smoothing else 0.0)
    temperature = recipe.hyperparameters.get("temperature", 4.0)
    temperature_miss = abs(math.log(max(temperature, 0.1)) - math.log(12.0 - 9.0 * size))
    alpha_miss = abs(recipe.alpha - (1.0 - 0.3 * size))
    rate = recipe.training.get("learning_rate")
    rate_miss = 0.0 if rate is None else abs(math.log10(rate) + 2.0)
    gain = _OBJECTIVES.get(recipe.objective, 0.02) * 10 / math.sqrt(sample_count)
    return labels + gain * (1 - 0.4 * temperature_miss**2 - 1.5 * alpha_miss**2) - 0.02 * rate_miss**2


@dataclass(frozen=True)
class Curve:
    """One student's life: its accuracy at every share of its training, and how long it takes."""

    start: float
    final: float
    rate: float
    seconds: float

    def accuracy(self, share: float) -> float:
        """At `share` (0 to 1) of the training."""
        grown = (1 - math.exp(-self.rate * share)) / (1 - math.exp(-self.rate))
        return self.start + (self.final - self.start) * grown

    def metrics(self, share: float) -> dict[str, float]:
        value = self.accuracy(share)
        return {
            "val_accuracy": value,
            "val_balanced_accuracy": value,
            "val_nll": 2.5 * (1 - value),
            "train_loss": 2.3 * math.exp(-self.rate * share),
        }

    def points(self, started: float, until: float = 1.0) -> tuple[Point, ...]:
        """One evaluation per epoch; `started` in seconds of the virtual clock."""
        shares = [epoch / EPOCHS for epoch in range(1, EPOCHS + 1) if epoch / EPOCHS <= until]
        return tuple(
            Point(round(share * EPOCHS), int(1000 * (started + share * self.seconds)), self.metrics(share))
            for share in shares
        )


def curve(slot: Slot, spread: float = 0.3) -> Curve:
    """The curve of a trial: the same for the same recipe, sample count and seed.

    Seeds matter most for few samples; durations are log-normal, `spread` is the deviation of their logarithm.
    """
    chance = random.Random(f"{slot.seed} {slot.subset_seed} {slot.sample_count}")
    noise = chance.gauss(0.0, 0.15 / math.sqrt(slot.sample_count))
    final = min(0.999, max(CHANCE, potential(slot.recipe, slot.sample_count) + noise))
    seconds = (1.0 + slot.sample_count / 500) * math.exp(chance.gauss(0.0, spread))
    return Curve(CHANCE, final, chance.uniform(2.0, 6.0), seconds)


def scored_on_test(found: Mapping[str, float]) -> dict[str, float]:
    """What a confirmed student is scored with besides."""
    return {"test_accuracy": found["val_accuracy"] - 0.01, "test_nll": found["val_nll"] + 0.02}
