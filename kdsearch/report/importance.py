"""Which parameters matter at each sample count, by Optuna's PED-ANOVA.

PED-ANOVA (Watanabe et al., arXiv 2304.10255; of conditional parameters: arXiv 2601.20800) compares how the best trials'
values of a parameter are distributed with how all trials' are. It draws nothing, so its answer needs no seed.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.features.spec import FEATURE_SPECS
from kdsearch.features.spec import FEATURE_WEIGHT
from kdsearch.ledger.records import TrialRecord
from kdsearch.objectives.spec import ALPHA
from kdsearch.objectives.spec import SPECS
from kdsearch.recipe import TRAINING_PARAMETERS
from kdsearch.report.comparison import higher_is_better
from kdsearch.report.results import Results

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

FEWEST_TRIALS = 12
"""With fewer nothing is said."""
BEST_QUANTILE = 0.25
"""The importances are about getting among these best trials; Optuna asks for at least five of them."""


@dataclass(frozen=True)
class Importance:
    """What `parameter` contributes to getting among the best quarter of one sample count's `trials`; those of a sample
    count add up to 1."""

    sample_count: int
    parameter: str
    share: float
    trials: int


def importances(results: Results) -> list[Importance]:
    """By sample count, the most important parameter first; none where the trials are too few or all the same."""
    return [
        Importance(sample_count, name, share, len(records))
        for sample_count in results.sample_counts
        if len(records := results.searched(sample_count)) >= FEWEST_TRIALS
        for name, share in _importances(results, records).items()
    ]


def _importances(results: Results, records: Sequence[TrialRecord]) -> dict[str, float]:
    from optuna.importance import PedAnovaImportanceEvaluator
    from optuna.importance import get_param_importances

    names = _varied(records)
    if not names or len({record.value for record in records}) < 2:
        return {}
    evaluator = PedAnovaImportanceEvaluator(target_quantile=BEST_QUANTILE)
    shares = get_param_importances(_study(results, records, names), evaluator=evaluator)
    return {name: float(share) for name, share in shares.items()}


def _varied(records: Sequence[TrialRecord]) -> list[str]:
    """The parameters that are not the same wherever they apply."""
    values: dict[str, set[Any]] = {}
    for record in records:
        for name, value in record.params.items():
            values.setdefault(name, set()).add(value)
    return [name for name, found in values.items() if len(found) > 1]


def _study(results: Results, records: Sequence[TrialRecord], names: Sequence[str]) -> Study:
    """A plain Optuna study of these trials, in memory."""
    import optuna

    ranges = {
        name: _distribution(results, name, [record.params[name] for record in records if name in record.params])
        for name in names
    }
    direction = "maximize" if higher_is_better(results.metric) else "minimize"
    study = _quiet_study(direction)
    for record in records:
        params = {name: value for name, value in record.params.items() if name in ranges}
        distributions = {name: ranges[name] for name in params}
        study.add_trial(optuna.trial.create_trial(value=record.value, params=params, distributions=distributions))
    return study


def _quiet_study(direction: str) -> Study:
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(storage=optuna.storages.InMemoryStorage(), direction=direction)
    finally:
        optuna.logging.set_verbosity(verbosity)


def _distribution(results: Results, name: str, values: Sequence[Any]) -> BaseDistribution:
    """What the trials span: the configured range may have changed since they were asked for."""
    from optuna.distributions import CategoricalDistribution
    from optuna.distributions import FloatDistribution

    if any(isinstance(value, str | bool) for value in values):
        return CategoricalDistribution(sorted(set(values), key=str))
    low, high = min(values), max(values)
    return FloatDistribution(low, high, log=low > 0 and _is_log(results, name))


def _is_log(results: Results, name: str) -> bool:
    """As the search space says, or, where that leaves the range open, the parameter's spec."""
    configured = results.sweep.config.get("search_space", {}).get("parameters", {}).get(name) or {}
    return bool(configured.get("log", False)) if "low" in configured else _log_of_specs().get(name, False)


@functools.cache
def _log_of_specs() -> dict[str, bool]:
    own = (parameter for spec in (*SPECS.values(), *FEATURE_SPECS.values()) for parameter in spec.parameters)
    parameters = (ALPHA, FEATURE_WEIGHT, *TRAINING_PARAMETERS.values(), *own)
    return {parameter.name: parameter.log for parameter in parameters}
