"""The recipe of `kdsearch distill`, given as plain `objective=kl temperature=4 alpha=0.8 sample_count=50`."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from typing import get_args

from kdsearch.config.overrides import Line
from kdsearch.config.overrides import read_lines
from kdsearch.config.overrides import split
from kdsearch.config.suggest import one_of
from kdsearch.errors import Problem
from kdsearch.features.spec import FEATURE_SPECS
from kdsearch.features.spec import FEATURE_WEIGHT
from kdsearch.objectives.spec import ALPHA
from kdsearch.objectives.spec import LABELS
from kdsearch.objectives.spec import SPECS
from kdsearch.objectives.spec import Parameter
from kdsearch.recipe import FEATURE_OBJECTIVE
from kdsearch.recipe import NO_FEATURE
from kdsearch.recipe import SUBSET
from kdsearch.recipe import SUBSETS
from kdsearch.recipe import TRAINING_PARAMETERS
from kdsearch.recipe import Recipe
from kdsearch.recipe import Signal

SAMPLE_COUNT = "sample_count"
OBJECTIVE = "objective"
LABEL_SMOOTHING = "label_smoothing"
HYPERPARAMETERS = {
    parameter.name: parameter
    for parameters in (*(s.parameters for s in SPECS.values()), *(s.parameters for s in FEATURE_SPECS.values()))
    for parameter in (*parameters, FEATURE_WEIGHT)
}
NAMES: dict[str, tuple[str, ...]] = {
    SUBSET: SUBSETS,
    "signal": get_args(Signal),
    FEATURE_OBJECTIVE: (NO_FEATURE, *FEATURE_SPECS),
}
KEYS = (SAMPLE_COUNT, OBJECTIVE, ALPHA.name, LABEL_SMOOTHING, *NAMES, *HYPERPARAMETERS, *TRAINING_PARAMETERS)


@dataclass(frozen=True)
class Request:
    """What to train: a recipe and on how many samples (None: the smallest count of the data set's)."""

    recipe: Recipe
    sample_count: int | None


def read_recipe(words: Iterable[str]) -> tuple[Request, list[str], list[Problem]]:
    """The recipe in `words`, the words that are about something else, and what is wrong with the recipe."""
    words = list(words)
    others = [word for word in words if split(word)[0] not in KEYS]
    lines, problems = read_lines(word for word in words if word not in others)
    values = {line.key: line.parsed.value() for line in lines}
    problems += _problems(lines, values)
    count = values.pop(SAMPLE_COUNT, None)
    recipe = Recipe(LABELS, 0.0) if problems else Recipe.from_params(values)
    return Request(recipe, count if isinstance(count, int) and _is_count(count) else None), others, problems


def _problems(lines: Iterable[Line], values: Mapping[str, Any]) -> Iterable[Problem]:
    objective = values.get(OBJECTIVE, "kl")
    if objective not in (*SPECS, LABELS):
        yield Problem(OBJECTIVE, objective, one_of(objective, (*SPECS, LABELS)))
        return
    takes = _parameters(objective, values.get(FEATURE_OBJECTIVE))
    names = [LABEL_SMOOTHING, SUBSET, *takes] if objective == LABELS else [*NAMES, *takes]
    for line in lines:
        value = values[line.key]
        if line.key == SAMPLE_COUNT:
            if not _is_count(value):
                yield Problem(line.key, value, "must be an integer >= 1")
        elif line.key in takes:
            yield from _value_problems(takes[line.key], value)
        elif line.key in names and line.key in NAMES:
            if value not in NAMES[line.key]:
                yield Problem(line.key, value, one_of(value, NAMES[line.key]))
        elif line.key != OBJECTIVE and line.key not in names:
            yield Problem(line.key, value, f"objective={objective} takes {', '.join(names)}")
        elif line.key == LABEL_SMOOTHING and not (_is_number(value) and 0 <= value < 1):
            yield Problem(line.key, value, "must be a number >= 0 and < 1")


def _parameters(objective: str, feature: Any) -> dict[str, Parameter]:
    own = () if objective == LABELS else (ALPHA, *SPECS[objective].parameters)
    added = (FEATURE_WEIGHT, *FEATURE_SPECS[feature].parameters) if feature in FEATURE_SPECS else ()
    return {parameter.name: parameter for parameter in (*own, *added)} | TRAINING_PARAMETERS


def _is_count(value: Any) -> bool:
    return _is_number(value) and isinstance(value, int) and value >= 1


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _value_problems(parameter: Parameter, value: Any) -> Iterable[Problem]:
    if not (_is_number(value) or (parameter.switch and isinstance(value, bool))):
        kind = "" if parameter.switch else "a number "
        yield Problem(parameter.name, value, f"must be {kind}{parameter.allowed}")
    elif (reason := parameter.problem(value)) is not None:
        yield Problem(parameter.name, value, reason)
