"""What a built-in data set has to give, and how its arguments are checked."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kdsearch.config.schema import Frozen
from kdsearch.config.suggest import did_you_mean
from kdsearch.config.translate import problems_by_path
from kdsearch.data.arrays import Arrays
from kdsearch.data.facts import Facts
from kdsearch.errors import InputError
from kdsearch.errors import Problem

ARGUMENTS = "dataset.arguments"


class NoArguments(Frozen):
    pass


@dataclass(frozen=True)
class Reader:
    """A data set known by name. The functions are called with `dataset.root` and the checked `dataset.arguments`.

    Each raises InputError with everything that is wrong.
    """

    load: Callable[[Path | None, Any], Arrays]
    facts: Callable[[Path | None, Any], Facts]
    """Looks at what can be wrong with the files; writes and downloads nothing where that can be helped."""
    arguments: type[Frozen] = NoArguments
    downloads: Callable[[Path | None], bool] = lambda root: False
    """Whether loading would download it first."""


def loaded_facts(load: Callable[[Path | None, Any], Arrays]) -> Callable[[Path | None, Any], Facts]:
    """Facts of a data set about which nothing is known before it is loaded."""
    return lambda root, arguments: load(root, arguments).facts()


def check_arguments(model: type[Frozen], values: Mapping[str, Any], name: str) -> Frozen:
    """`dataset.arguments` of the built-in data set `name`, typed; a null where something is needed counts as not given.

    Raises:
        InputError: unknown, missing or wrong arguments.
    """
    fields = model.model_fields
    given = {key: v for key, v in values.items() if v is not None or key not in fields or not fields[key].is_required()}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems = problems_by_path(error, given)
    raise InputError(_told(str(path[0]), problem, fields, name) for path, problem in problems.items())


def _told(key: str, problem: Problem, known: Mapping[str, Any], name: str) -> Problem:
    if key in known:
        return Problem(f"{ARGUMENTS}.{problem.key}", problem.value, problem.allowed)
    hint = did_you_mean(key, known) or (f"; it has {', '.join(known)}" if known else "; it has none")
    return Problem(f"{ARGUMENTS}.{key}", problem.value, f"unknown argument of {name}{hint}")
