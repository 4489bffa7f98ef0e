"""The search space of kdsearch's `search_space=default`: objective, temperature and alpha."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    import optuna

OBJECTIVES = ("kl", "mse")
TEMPERATURES = (1.0, 40.0)
ALPHAS = (0.5, 1.0)


def suggest(trial: optuna.Trial) -> None:
    """Ask for a recipe; it is in `trial.params` then."""
    objective = trial.suggest_categorical("objective", OBJECTIVES)
    trial.suggest_float("alpha", *ALPHAS)
    if objective == "kl":
        trial.suggest_float("temperature", *TEMPERATURES, log=True)


def draw(stream: random.Random) -> dict[str, Any]:
    """A recipe at random."""
    low, high = map(math.log, TEMPERATURES)
    recipe = {"objective": stream.choice(OBJECTIVES), "alpha": stream.uniform(*ALPHAS)}
    return recipe if recipe["objective"] == "mse" else recipe | {"temperature": math.exp(stream.uniform(low, high))}
