"""From plain values to the typed model, going on past what is wrong so that all of it is found."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from kdsearch.config.schema import SweepConfig
from kdsearch.config.translate import Path
from kdsearch.config.translate import problems_by_path
from kdsearch.config.translate import value_at
from kdsearch.errors import Problem


def typed(plain: dict[str, Any], defaults: Mapping[str, Any]) -> tuple[SweepConfig | None, list[Problem]]:
    """`plain` as a model, after putting defaults in place of the values that are reported."""
    problems: dict[Path, Problem] = {}
    while True:
        try:
            return SweepConfig.model_validate(plain), list(problems.values())
        except ValidationError as error:
            found = problems_by_path(error, plain)
        # Keys that contradict each other stay wrong when one has its default: then all that stand beside it get theirs.
        repaired = [path[:-1] if path in problems else path for path in found]
        problems = found | problems
        if not any([_put_back(plain, defaults, path) or _put_back(plain, defaults, path[:-1]) for path in repaired]):
            return None, list(problems.values())


def _put_back(plain: dict[str, Any], defaults: Mapping[str, Any], path: Path) -> bool:
    """Replace the value at `path`, or the list that it is in, by its default; whether that changes anything."""
    keys = list(itertools.takewhile(lambda part: isinstance(part, str), path))
    if not keys:
        return False
    node: Any = plain
    for key in keys[:-1]:
        node = node[key]
    before = copy.copy(node)
    default = value_at(defaults, tuple(keys))
    if default is None and keys[-1] not in (value_at(defaults, tuple(keys[:-1])) or {}):
        node.pop(keys[-1], None)
    else:
        node[keys[-1]] = copy.deepcopy(default)
    return bool(before != node)


def is_covered(key: str, known: set[str]) -> bool:
    """Whether a problem with `key`, or with a part of it, has been reported."""
    return any(
        key == other or other.startswith((f"{key}.", f"{key}[")) or key.startswith(f"{other}.") for other in known
    )
