"""The search space of one study: which parameters a trial is asked for, in which order, and when each applies.

`objective` comes first, then `alpha`, the teacher and how samples are drawn, the hyperparameters that the chosen
objective has, the feature objective and what it has, then training keys.
A range that the config leaves open is the one that the parameter's spec gives.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.config.schema import ParameterConfig
from kdsearch.config.schema import SearchSpaceConfig
from kdsearch.features.spec import FEATURE_SPECS
from kdsearch.objectives.spec import ALPHA
from kdsearch.objectives.spec import LABELS
from kdsearch.objectives.spec import SPECS
from kdsearch.objectives.spec import Parameter
from kdsearch.recipe import FEATURE_OBJECTIVE
from kdsearch.recipe import NO_FEATURE
from kdsearch.recipe import STUDENT
from kdsearch.recipe import SUBSET
from kdsearch.recipe import SUBSETS
from kdsearch.recipe import TEACHER
from kdsearch.recipe import TRAINING_PARAMETERS
from kdsearch.recipe import Recipe

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

DEFAULT_OBJECTIVE = "kl"


@dataclass(frozen=True)
class Condition:
    """The parameter `name`, which is asked for earlier, has one of `values`."""

    name: str
    values: frozenset[str]

    def describe(self) -> list[str]:
        return [self.name, *sorted(self.values)]


@dataclass(frozen=True)
class Dimension:
    """One searched parameter."""

    name: str
    distribution: BaseDistribution
    condition: Condition | None = None
    """When it applies; None for always."""
    absent: bool | str | None = None
    """What it is in a recipe that does not hold it: False for a switch, `none` for a feature objective."""

    def applies(self, params: Mapping[str, Any]) -> bool:
        return self.condition is None or params[self.condition.name] in self.condition.values


@dataclass(frozen=True)
class Space:
    dimensions: tuple[Dimension, ...]
    objective: str
    """The objective of every trial when `objective` is not searched."""
    feature: str = NO_FEATURE
    """Likewise for `feature_objective`."""

    def suggest(self, trial: optuna.Trial) -> Recipe:
        """Ask `trial` for every parameter that applies, and make the recipe of the answers."""
        params = self._fixed()
        for dimension in self.dimensions:
            if dimension.applies(params):
                params[dimension.name] = _suggest(trial, dimension)
        return Recipe.from_params(params)

    def params_of(self, recipe: Recipe) -> dict[str, Any] | None:
        """The parameters with which this space gives `recipe`; None where it lies outside."""
        known = recipe.flat()
        params = self._fixed()
        for dimension in self.dimensions:
            if dimension.applies(params):
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
            [
                d.name,
                distribution_to_json(d.distribution),
                d.condition and [d.condition.name, *sorted(d.condition.values)],
            ]
            for d in self.dimensions
        ]
        return json.dumps([self.objective, self.feature, dimensions])

    def _fixed(self) -> dict[str, Any]:
        return {"objective": self.objective, FEATURE_OBJECTIVE: self.feature}


CHOICES = (STUDENT, TEACHER, SUBSET)
"""What is chosen from a list of names, whatever the objective."""


def search_space(config: SearchSpaceConfig) -> Space:
    """The space of the searched trials."""
    parameters = config.parameters
    objectives = _names(parameters.get("objective"), DEFAULT_OBJECTIVE, SPECS)
    features = _names(parameters.get(FEATURE_OBJECTIVE), NO_FEATURE, (NO_FEATURE, *FEATURE_SPECS))
    dimensions = [
        *_name_dimensions("objective", objectives),
        *_dimensions(parameters, [ALPHA]),
        *_choice_dimensions(parameters, CHOICES),
        *_conditional_dimensions(parameters, "objective", _hyperparameters(objectives)),
        *_name_dimensions(FEATURE_OBJECTIVE, features, absent=NO_FEATURE),
        *_conditional_dimensions(parameters, FEATURE_OBJECTIVE, _feature_parameters(features)),
        *_dimensions(parameters, TRAINING_PARAMETERS.values()),
    ]
    return Space(tuple(dimensions), objectives[0], features[0])


def labels_space(config: SearchSpaceConfig) -> Space | None:
    """The space of the labels-only rival: what the search tunes that has nothing to do with a teacher's outputs, the
    training keys, the student and the choice of samples; None when it tunes none of them."""
    parameters = config.parameters
    dimensions = (
        *_choice_dimensions(parameters, (STUDENT, SUBSET)),
        *_dimensions(parameters, TRAINING_PARAMETERS.values()),
    )
    return Space(dimensions, LABELS) if dimensions else None


def _names(range_: ParameterConfig | None, default: str, all_names: Iterable[str]) -> list[str]:
    """What a name is chosen from: the default where it is not searched, all where its choices are left open."""
    if range_ is None:
        return [default]
    return [str(choice) for choice in range_.choices or all_names]


def _name_dimensions(name: str, choices: list[str], absent: str | None = None) -> Iterable[Dimension]:
    if len(choices) > 1:
        yield Dimension(name, _categorical(choices), absent=absent)


def _choice_dimensions(parameters: Mapping[str, ParameterConfig], names: Iterable[str]) -> Iterable[Dimension]:
    for name in names:
        if name in parameters:
            yield Dimension(name, _categorical(list(parameters[name].choices or SUBSETS)))


def _dimensions(parameters: Mapping[str, ParameterConfig], specs: Iterable[Parameter]) -> Iterable[Dimension]:
    for spec in specs:
        if spec.name in parameters:
            yield Dimension(spec.name, _distribution(parameters[spec.name], spec))


def _conditional_dimensions(
    parameters: Mapping[str, ParameterConfig], on: str, owners: Mapping[str, Mapping[str, Parameter]]
) -> Iterable[Dimension]:
    """`owners`: parameter name → the values of `on` under which it applies, each with its spec."""
    for name, specs in owners.items():
        if name in parameters:
            spec = specs[next(iter(specs))]
            absent = False if spec.switch else None
            yield Dimension(name, _distribution(parameters[name], spec), Condition(on, frozenset(specs)), absent)


def _hyperparameters(objectives: Iterable[str]) -> dict[str, dict[str, Parameter]]:
    """Hyperparameter name → the objectives it applies to, each with its spec."""
    found: dict[str, dict[str, Parameter]] = {}
    for objective in objectives:
        for parameter in SPECS[objective].parameters:
            found.setdefault(parameter.name, {})[objective] = parameter
    return found


def _feature_parameters(features: Iterable[str]) -> dict[str, dict[str, Parameter]]:
    found: dict[str, dict[str, Parameter]] = {}
    for feature in features:
        if feature != NO_FEATURE:
            for parameter in (FEATURE_SPECS[feature].weight, *FEATURE_SPECS[feature].parameters):
                found.setdefault(parameter.name, {})[feature] = parameter
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
