"""The search space of one study: which parameters a trial is asked for, in which order, and when each applies.

`objective` comes first, then `alpha`, then the hyperparameters that the chosen objective has, then training keys.
A range that the config leaves open is the one that the parameter's spec gives.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.config.schema import ParameterConfig
from kdsearch.config.schema import SearchSpaceConfig
from kdsearch.objectives.spec import ALPHA
from kdsearch.objectives.spec import LABELS
from kdsearch.objectives.spec import SPECS
from kdsearch.objectives.spec import Parameter
from kdsearch.recipe import SUBSET
from kdsearch.recipe import TEACHER
from kdsearch.recipe import TRAINING_PARAMETERS
from kdsearch.recipe import Recipe

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

DEFAULT_OBJECTIVE = "kl"


@dataclass(frozen=True)
class Dimension:
    """One searched parameter; `objectives` are those it applies to, None for all."""

    name: str
    distribution: BaseDistribution
    objectives: frozenset[str] | None
    absent: bool | None = None
    """What it is in a recipe that does not hold it: False for a switch."""


@dataclass(frozen=True)
class Space:
    dimensions: tuple[Dimension, ...]
    objective: str
    """The objective of every trial when `objective` is not searched."""

    def suggest(self, trial: optuna.Trial) -> Recipe:
        """Ask `trial` for every parameter that applies, and make the recipe of the answers."""
        params: dict[str, Any] = {"objective": self.objective}
        for dimension in self.dimensions:
            if dimension.objectives is None or params["objective"] in dimension.objectives:
                params[dimension.name] = _suggest(trial, dimension)
        return Recipe.from_params(params)

    def params_of(self, recipe: Recipe) -> dict[str, Any] | None:
        """The parameters with which this space gives `recipe`; None where it lies outside."""
        known = recipe.flat()
        params: dict[str, Any] = {"objective": self.objective}
        for dimension in self.dimensions:
            if dimension.objectives is None or params["objective"] in dimension.objectives:
                value = known.get(dimension.name, dimension.absent)
                if value is None or not _contains(dimension.distribution, value):
                    return None
                params[dimension.name] = value
        if Recipe.from_params(params) != recipe:
            return None
        names = {dimension.name for dimension in self.dimensions}
        return {name: value for name, value in params.items() if name in names}

    def distributions(self, params: Iterable[str]) -> dict[str, BaseDistribution]:
        by_name = {dimension.name: dimension.distribution for dimension in self.dimensions}
        return {name: by_name[name] for name in params}

    def describe(self) -> str:
        """A text that is the same for the same space, and for no other."""
        from optuna.distributions import distribution_to_json

        dimensions = [
            [d.name, distribution_to_json(d.distribution), sorted(d.objectives) if d.objectives is not None else None]
            for d in self.dimensions
        ]
        return json.dumps([self.objective, dimensions])


CHOICES = (TEACHER, SUBSET)
"""What is chosen from a list of names, whatever the objective."""


def search_space(config: SearchSpaceConfig) -> Space:
    """The space of the searched trials."""
    parameters = dict(config.parameters)
    choices = parameters.pop("objective", ParameterConfig(choices=(DEFAULT_OBJECTIVE,))).choices or tuple(SPECS)
    objectives = [str(choice) for choice in choices]
    dimensions = [Dimension("objective", _categorical(objectives), None)] if len(objectives) > 1 else []
    if "alpha" in parameters:
        dimensions.append(Dimension("alpha", _distribution(parameters.pop("alpha"), ALPHA), None))
    dimensions += _choice_dimensions(parameters, CHOICES)
    for name, specs in _hyperparameters(objectives).items():
        if name in parameters:
            spec = specs[next(iter(specs))]
            distribution = _distribution(parameters.pop(name), spec)
            dimensions.append(Dimension(name, distribution, frozenset(specs), False if spec.switch else None))
    return Space((*dimensions, *_training_dimensions(parameters)), objectives[0])


def labels_space(config: SearchSpaceConfig) -> Space | None:
    """The space of the labels-only rival: what the search tunes that has nothing to do with a teacher's outputs, the
    training keys and the choice of samples; None when it tunes none of them."""
    dimensions = (*_choice_dimensions(config.parameters, (SUBSET,)), *_training_dimensions(config.parameters))
    return Space(dimensions, LABELS) if dimensions else None


def _choice_dimensions(parameters: dict[str, ParameterConfig], names: Iterable[str]) -> Iterable[Dimension]:
    for name in names:
        if name in parameters:
            yield Dimension(name, _categorical(list(parameters[name].choices or ())), None)


def _training_dimensions(parameters: dict[str, ParameterConfig]) -> Iterable[Dimension]:
    for name, spec in TRAINING_PARAMETERS.items():
        if name in parameters:
            yield Dimension(name, _distribution(parameters[name], spec), None)


def _hyperparameters(objectives: Iterable[str]) -> dict[str, dict[str, Parameter]]:
    """Hyperparameter name → the objectives it applies to, each with its spec."""
    found: dict[str, dict[str, Parameter]] = {}
    for objective in objectives:
        for parameter in SPECS[objective].parameters:
            found.setdefault(parameter.name, {})[objective] = parameter
    return found


def _suggest(trial: optuna.Trial, dimension: Dimension) -> Any:
    from optuna.distributions import CategoricalDistribution
    from optuna.distributions import FloatDistribution

    match dimension.distribution:
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(dimension.name, choices)
        case FloatDistribution(low=low, high=high, log=log, step=step):
            return trial.suggest_float(dimension.name, low, high, log=log, step=step)
    raise AssertionError(dimension)


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except ValueError:  # not among the choices
        return False


def _distribution(config: ParameterConfig, spec: Parameter) -> BaseDistribution:
    from optuna.distributions import FloatDistribution

    if config.choices is not None:
        return _categorical(list(config.choices))
    if spec.switch:
        return _categorical([False, True])
    if config.is_open:
        return FloatDistribution(spec.low, spec.high, log=spec.log)
    low = spec.low if config.low is None else config.low
    high = spec.high if config.high is None else config.high
    return FloatDistribution(low, high, log=config.log, step=config.step)


def _categorical(choices: list[Any]) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution

    return CategoricalDistribution(choices)
