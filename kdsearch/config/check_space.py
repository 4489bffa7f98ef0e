"""Checks of the search space against the specs of objectives and training keys."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping

from kdsearch.config.schema import ParameterConfig
from kdsearch.config.schema import SearchSpaceConfig
from kdsearch.config.suggest import did_you_mean
from kdsearch.config.suggest import one_of
from kdsearch.errors import Problem
from kdsearch.features.spec import FEATURE_SPECS
from kdsearch.features.spec import FEATURE_WEIGHT
from kdsearch.objectives.spec import ALPHA
from kdsearch.objectives.spec import SPECS
from kdsearch.objectives.spec import Parameter
from kdsearch.recipe import FEATURE_OBJECTIVE
from kdsearch.recipe import NO_FEATURE
from kdsearch.recipe import SUBSET
from kdsearch.recipe import SUBSETS
from kdsearch.recipe import TRAINING_PARAMETERS

_PREFIX = "search_space.parameters"
_DEFAULT_OBJECTIVES = ("kl",)


def space_problems(config: SearchSpaceConfig, several: Mapping[str, Collection[str]]) -> Iterable[Problem]:
    """What is wrong with each searched parameter; `several` holds the teachers and students that can be chosen."""
    if not config.parameters:
        yield Problem(_PREFIX, {}, "must hold at least one parameter")
    objectives, features = _objectives(config), _features(config)
    yield from _objective_problems(config)
    by_name = _parameters()
    for name, range_ in config.parameters.items():
        key = f"{_PREFIX}.{name}"
        if name == "objective":
            continue
        if name in several:
            yield from _name_problems(key, range_, several[name])
            continue
        if name == SUBSET:
            if not _is_open(range_):
                yield from _name_problems(key, range_, SUBSETS)
            continue
        if name == FEATURE_OBJECTIVE:
            if not _is_open(range_):
                yield from _name_problems(key, range_, (NO_FEATURE, *FEATURE_SPECS))
            continue
        if name not in by_name:
            known = ["objective", *several, SUBSET, FEATURE_OBJECTIVE, *by_name]
            hint = did_you_mean(name, known) or f"; known: {', '.join(known)}"
            yield Problem(key, _written(range_), f"unknown parameter{hint}")
        elif not _applies(name, objectives, features):
            searched = ", ".join([*objectives, *(f for f in features if f != NO_FEATURE)])
            allowed = f"applies to none of the searched objectives ({searched}); leave it out with ~{key}"
            yield Problem(key, _written(range_), allowed)
        else:
            yield from _range_problems(key, range_, by_name[name])


def _parameters() -> dict[str, Parameter]:
    """Every number that can be searched, by name."""
    of_objectives = {parameter.name: parameter for spec in SPECS.values() for parameter in spec.parameters}
    of_features = {parameter.name: parameter for spec in FEATURE_SPECS.values() for parameter in spec.parameters}
    of_features[FEATURE_WEIGHT.name] = FEATURE_WEIGHT
    return {ALPHA.name: ALPHA, **of_objectives, **of_features, **TRAINING_PARAMETERS}


def _objectives(config: SearchSpaceConfig) -> tuple[str, ...]:
    searched = config.parameters.get("objective")
    if searched is None:
        return _DEFAULT_OBJECTIVES
    return tuple(SPECS) if searched.choices is None else tuple(str(choice) for choice in searched.choices)


def _objective_problems(config: SearchSpaceConfig) -> Iterable[Problem]:
    searched = config.parameters.get("objective")
    if searched is None:
        return
    if not _is_open(searched):
        yield from _name_problems(f"{_PREFIX}.objective", searched, SPECS)


def _is_open(range_: ParameterConfig) -> bool:
    """Whether a name is left to be chosen from all there are."""
    return range_.choices is None and not _has_bounds(range_)


def _name_problems(key: str, searched: ParameterConfig, names: Collection[str]) -> Iterable[Problem]:
    """What is wrong with a parameter that is chosen from `names`."""
    if _has_bounds(searched):
        yield Problem(key, _written(searched), "is a name: it takes `choices` alone")
        return
    choices = searched.choices or ()
    if not names:
        yield Problem(f"{key}.choices", choices, _nothing(key))
        return
    yield from _choice_problems(f"{key}.choices", choices)
    for choice in choices:
        if choice not in names:
            yield Problem(f"{key}.choices", choice, one_of(choice, names))


def _features(config: SearchSpaceConfig) -> tuple[str, ...]:
    searched = config.parameters.get(FEATURE_OBJECTIVE)
    if searched is None:
        return (NO_FEATURE,)
    return tuple(FEATURE_SPECS) if searched.choices is None else tuple(str(choice) for choice in searched.choices)


def _nothing(key: str) -> str:
    group = key.rpartition(".")[2]
    return f"there are no {group}s to choose from; {group}=[NAME,NAME] gives them"


def _applies(name: str, objectives: tuple[str, ...], features: tuple[str, ...]) -> bool:
    if name == ALPHA.name or name in TRAINING_PARAMETERS:
        return True
    if name == FEATURE_WEIGHT.name:
        return any(feature in FEATURE_SPECS for feature in features)
    specs = [SPECS[o] for o in objectives if o in SPECS] + [FEATURE_SPECS[f] for f in features if f in FEATURE_SPECS]
    return any(parameter.name == name for spec in specs for parameter in spec.parameters)


def _range_problems(key: str, range_: ParameterConfig, spec: Parameter) -> Iterable[Problem]:
    if spec.switch:
        yield from _switch_problems(key, range_)
        return
    if range_.choices is not None:
        yield from _number_choice_problems(key, range_, spec)
        return
    low = spec.low if range_.low is None else range_.low
    high = spec.high if range_.high is None else range_.high
    yield from _bound_problems(key, range_, spec)
    if low >= high:
        yield Problem(f"{key}.low", low, f"must be < high, which is {high:g}")
    if range_.log and low <= 0 and spec.problem(low) is None:
        yield Problem(f"{key}.low", low, "must be > 0, because log=true")
    if range_.step is not None and range_.log:
        yield Problem(f"{key}.step", range_.step, "must be null, because log=true")
    if range_.step is not None and range_.step > high - low > 0:
        yield Problem(f"{key}.step", range_.step, f"must be <= high - low, which is {high - low:g}")


def _switch_problems(key: str, range_: ParameterConfig) -> Iterable[Problem]:
    if _has_bounds(range_):
        yield Problem(key, _written(range_), "is a switch: it takes `choices` of true and false alone")
    if range_.choices is not None:
        yield from _choice_problems(f"{key}.choices", range_.choices)
        for choice in range_.choices:
            if not isinstance(choice, bool):
                yield Problem(f"{key}.choices", choice, "must be true or false")


def _has_bounds(range_: ParameterConfig) -> bool:
    return range_.low is not None or range_.high is not None or range_.log or range_.step is not None


def _bound_problems(key: str, range_: ParameterConfig, spec: Parameter) -> Iterable[Problem]:
    for end, value in (("low", range_.low), ("high", range_.high)):
        reason = None if value is None else spec.problem(value)
        if reason is not None:
            yield Problem(f"{key}.{end}", value, reason)


def _number_choice_problems(key: str, range_: ParameterConfig, spec: Parameter) -> Iterable[Problem]:
    choices = range_.choices or ()
    yield from _choice_problems(f"{key}.choices", choices)
    if range_.low is not None or range_.high is not None:
        allowed = f"is set beside low/high; use one of them: null the others with {key}.low=null {key}.high=null"
        yield Problem(f"{key}.choices", choices, allowed)
    for choice in choices:
        if isinstance(choice, bool) or not isinstance(choice, int | float):
            yield Problem(f"{key}.choices", choice, f"must be a number {spec.allowed}")
        elif (reason := spec.problem(choice)) is not None:
            yield Problem(f"{key}.choices", choice, reason)


def _choice_problems(key: str, choices: tuple[str | bool | int | float, ...]) -> Iterable[Problem]:
    if not choices:
        yield Problem(key, choices, "must hold at least one choice")
    if len(set(choices)) != len(choices):
        yield Problem(key, choices, "must not name a choice twice")


def _written(range_: ParameterConfig) -> dict[str, object]:
    """The keys of a range that were given."""
    return range_.model_dump(exclude_unset=True, exclude_none=True)
