"""Which recipes are recorded: the space of `search_space=training`, covered evenly, the same ones at every count."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.config.compose import compose_sweep
from kdsearch.config.schema import SweepConfig
from kdsearch.search.space import Space
from kdsearch.search.space import search_space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

DATASETS = ("digits", "fashion_mnist")
SAMPLE_COUNTS = (20, 50, 100, 200)
RECIPES = 256
SEEDS = 5
"""Of each recipe at each count; every seed draws its own samples, the same ones for all recipes."""

PARAMETERS = ("objective", "alpha", "temperature", "learning_rate", "weight_decay")


def sweep_config(dataset: str, *overrides: str) -> SweepConfig:
    """The default sweep of `dataset` over the space, its student the MLP."""
    counts = ",".join(map(str, SAMPLE_COUNTS))
    words = [f"dataset={dataset}", "student=mlp", "search_space=training", f"sample_counts=[{counts}]"]
    return compose_sweep([*words, *overrides], outside_world=False).config


@cache
def space() -> Space:
    return search_space(sweep_config("digits").search_space)


def recipes(count: int, seed: int) -> list[dict[str, Any]]:
    """`count` sets of parameters: a scrambled Sobol sequence (Owen, 1998) over the space."""
    from scipy.stats.qmc import Sobol

    dimensions = space().dimensions
    found = []
    for point in Sobol(len(dimensions), seed=seed).random(count):
        params: dict[str, Any] = {}
        for dimension, share in zip(dimensions, point, strict=True):
            if dimension.applies(params):
                params[dimension.name] = _at(dimension.distribution, float(share))
        found.append(params)
    return found


def design() -> list[dict[str, Any]]:
    """The recorded recipes."""
    return recipes(RECIPES, seed=0)


def _at(distribution: BaseDistribution, share: float) -> Any:
    """The value at `share` (0 to 1) of a distribution's range."""
    from optuna.distributions import CategoricalDistribution
    from optuna.distributions import FloatDistribution

    match distribution:
        case CategoricalDistribution(choices=choices):
            return choices[min(int(share * len(choices)), len(choices) - 1)]
        case FloatDistribution(low=low, high=high, log=True):
            return float(low * (high / low) ** share)
        case FloatDistribution(low=low, high=high):
            return float(low + (high - low) * share)
    raise AssertionError(distribution)


def coordinates(params: Mapping[str, Any]) -> list[float]:
    """Where `params` lie in their ranges, 0 to 1, in the space's order; 0.5 for one that does not apply."""
    return [0.5 if params.get(d.name) is None else _share(d.distribution, params[d.name]) for d in space().dimensions]


def _share(distribution: BaseDistribution, value: Any) -> float:
    from optuna.distributions import CategoricalDistribution
    from optuna.distributions import FloatDistribution

    match distribution:
        case CategoricalDistribution(choices=choices):
            return choices.index(value) / (len(choices) - 1)
        case FloatDistribution(low=low, high=high, log=True):
            return math.log(value / low) / math.log(high / low)
        case FloatDistribution(low=low, high=high):
            return float((value - low) / (high - low))
    raise AssertionError(distribution)
