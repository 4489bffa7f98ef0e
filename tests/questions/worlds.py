"""Sweeps made up for the questions: what each recipe reaches at each sample count, and by how much seeds differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.recipe import Recipe
from tests.factories import KL
from tests.factories import LABELS
from tests.factories import make_confirmations
from tests.factories import make_control
from tests.factories import make_record
from tests.factories import make_sweep

SEARCHED = "distilled"

World = Mapping[str, Mapping[int, float]]
"""Name of a control, or `distilled` → sample count → accuracy."""


def confirmed(
    world: World,
    *,
    seeds: int = 5,
    noise: float = 0.002,
    metrics: Mapping[str, Mapping[str, Mapping[int, float]]] | None = None,
) -> list[TrialRecord]:
    """The rows of a sweep in which every recipe was trained once and confirmed. Seeds of one sample count have a common
    part, which pairing takes away, of ten times the noise."""
    rows: list[TrialRecord] = []
    for n in sorted({n for accuracies in world.values() for n in accuracies}):
        common = 10 * noise * np.random.default_rng(n).normal(size=seeds)
        for place, (name, accuracies) in enumerate(world.items()):
            if n not in accuracies:
                continue
            own = noise * np.random.default_rng([n, place]).normal(size=seeds)
            values = [float(accuracies[n] + value) for value in common + own]
            extra = {key: by_count[n] for key, by_count in (metrics or {}).get(name, {}).items()}
            rows += _trained(name, n, place, accuracies[n], values, extra)
    return rows


def _trained(
    name: str, n: int, place: int, accuracy: float, values: list[float], extra: Mapping[str, float]
) -> list[TrialRecord]:
    recipe = LABELS if name.startswith("labels") else KL
    if name == SEARCHED:
        origin = make_record(place, sample_count=n, value=accuracy)
    else:
        origin = make_control(name, n, accuracy, number=place, recipe=recipe)
    control = None if name == SEARCHED else name
    runs = make_confirmations(origin.key, values, values, n, recipe, control, first_number=100 * place)
    for run in (origin, *runs):
        run.metrics.update(extra)  # type: ignore[attr-defined]
    return [origin, *runs]


def searched(world: World) -> list[TrialRecord]:
    """The same without confirmation."""
    return [row for row in confirmed(world) if row.confirms is None]


def sweep(**teachers: Mapping[str, Any]) -> SweepRecord:
    """With a teacher of its own, `own`, and others."""
    own = {"hash": "own", "sample_count": 1000, "parameter_count": 5000, **quality(0.9), **teachers.pop("own", {})}
    others = {
        name: {"hash": name, "sample_count": 1000, "parameter_count": 5000, **quality(0.9), **facts}
        for name, facts in teachers.items()
    }
    return make_sweep(teacher={**own, "teachers": others})


def quality(accuracy: float, error: float = 0.3) -> dict[str, float]:
    return {"val_accuracy": accuracy, "val_nll": error, "val_brier": error, "val_ece": error}


__all__ = ["KL", "LABELS", "Recipe", "SEARCHED", "confirmed", "quality", "searched", "sweep"]
