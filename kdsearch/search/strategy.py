"""Optuna's samplers and pruners under the names of the config, with the settings kdsearch uses them with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

DECISION_STEPS = {0.125: 1, 0.25: 2, 0.5: 4}
"""Where a running trial is judged: after these shares of its training, as the step that the pruner sees.

Powers of two, so that successive halving and Hyperband, which halve, have a rung at each; 8 would be the end.
"""

LAST_STEP = 8


def make_sampler(name: str, seed: int, study_seed: int) -> BaseSampler:
    """A sampler whose next answer depends on the study's history and on `seed` alone.

    `study_seed` is the same for every trial of a study: quasi-random sequences are scrambled by it.
    """
    from optuna import samplers

    seed, study_seed = seed % 2**32, study_seed % 2**32
    match name:
        case "tpe":
            # group: the parameters that only some objectives have are modelled together with those that all have.
            return samplers.TPESampler(seed=seed, multivariate=True, group=True)
        case "random":
            return samplers.RandomSampler(seed=seed)
        case "gp":
            return samplers.GPSampler(seed=seed, warn_independent_sampling=False)
        case "cmaes":
            return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        case "qmc":
            return samplers.QMCSampler(
                scramble=True,
                seed=study_seed,
                independent_sampler=samplers.RandomSampler(seed=seed),
                warn_independent_sampling=False,
            )
    raise ValueError(f"unknown sampler: {name}")


def make_pruner(name: str) -> BasePruner:
    """A pruner over DECISION_STEPS."""
    from optuna import pruners

    match name:
        case "none":
            return pruners.NopPruner()
        case "successive_halving":
            return pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
        case "hyperband":
            return pruners.HyperbandPruner(min_resource=1, max_resource=LAST_STEP, reduction_factor=2)
        case "median":
            return pruners.MedianPruner(n_startup_trials=5)
        case "percentile":
            return pruners.PercentilePruner(percentile=25.0, n_startup_trials=5)
        case "wilcoxon":
            return pruners.WilcoxonPruner(p_threshold=0.1, n_startup_steps=1)
    raise ValueError(f"unknown pruner: {name}")
