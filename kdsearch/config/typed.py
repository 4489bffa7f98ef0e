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
    replaced: set[Path] = set()
    while True:
        try:
            return SweepConfig.model_validate(plain), list(problems.values())
        except ValidationError as error:
            found = problems_by_path(error, plain)
        # Keys that contradict each other stay wrong when one has its default: then all that stand beside it get theirs.
        repaired = [path[:-1] if path in problems or path in replaced else path for path in found]
        # What is wrong with a default that stands in for a value is not the user's doing.
        problems = {path: problem for path, problem in found.items() if path not in replaced} | problems
        changed = {place for path in repaired if (place := _nearest_put_back(plain, defaults, path)) is not None}
        if not changed:
            return None, list(problems.values())
        replaced |= changed


def _nearest_put_back(plain: dict[str, Any], defaults: Mapping[str, Any], path: Path) -> Path | None:
    """Put the default at `path` or, where that changes nothing, around it; where it was put."""
    keys = tuple(itertools.takewhile(lambda part: isinstance(part, str), path))
    return next((place for place in (keys, keys[:-1]) if _put_back(plain, defaults, place)), None)


def _put_back(plain: dict[str, Any], defaults: Mapping[str, Any], keys: Path) -> bool:
    """Replace the value at `keys` by its default; whether that changes anything."""
    node = value_at(plain, keys[:-1])
    if not keys or not isinstance(node, dict):
        return False
    before = copy.copy(node)
    default = value_at(defaults, keys)
    if default is None and keys[-1] not in (value_at(defaults, keys[:-1]) or {}):
        node.pop(str(keys[-1]), None)
    else:
        node[str(keys[-1])] = copy.deepcopy(default)
    return bool(before != node)


def is_covered(key: str, known: set[str]) -> bool:
    """Whether a problem with `key`, or with a part of it, has been reported."""
    return any(
        key == other or other.startswith((f"{key}.", f"{key}[")) or key.startswith(f"{other}.") for other in known
    )
