"""Which keys of a sweep that exists may change, so that its finished trials stay comparable."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from kdsearch.config.schema import default_of
from kdsearch.errors import InputError
from kdsearch.errors import Problem

FREE = (
    "storage",
    "ledger",
    "mlflow",
    "dataset.root",
    "time_budget",
    "max_failed_trials",
    "max_restarts",
    "resources",
    "cluster",
)
"""Where and how a sweep runs: `sweep` and `resume` may change these at any time."""

EXTENDABLE = (
    "trials_per_count",
    "sample_counts",
    "controls",
    "confirm",
    "sampler",
    "pruner",
    "search.transfer",
    "search_space",
)
"""What `resume` may change besides: the trials that are there stay valid. (A changed space begins a new generation.)"""

GROWING = ("sample_counts", "controls")
"""Lists that may only get longer: what is finished stays part of the sweep."""


def check_compatible(stored: Mapping[str, Any], wanted: Mapping[str, Any], *, extend: bool) -> None:
    """
    Raises:
        InputError: the differing keys that may not change, `extend` saying whether this is a `resume`.
    """
    allowed = (*FREE, *EXTENDABLE) if extend else FREE
    problems = []
    old, new = _leaves(stored), _leaves(wanted)
    for key in sorted({*old, *new}):
        # A key that a later version has brought: the sweep was run with what is its default now.
        before = old[key] if key in old else default_of(key)
        after = new[key] if key in new else default_of(key)
        if before != after and not key.startswith(tuple(f"{prefix}." for prefix in allowed)) and key not in allowed:
            problems.append(Problem(key, after, f"the sweep has {before!r}; {_advice(key, extend)}"))
        elif key in GROWING and extend and not set(map(repr, before or ())) <= set(map(repr, after or ())):
            problems.append(Problem(key, after, f"the sweep has {before!r}; values can be added, not taken away"))
    if problems:
        raise InputError(problems)


def _advice(key: str, extend: bool) -> str:
    if not extend and (key in EXTENDABLE or key.split(".")[0] in EXTENDABLE):
        return "`kdsearch resume NAME` can change it"
    return "finished trials would no longer be comparable: give the sweep another name"


def _leaves(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    return dict(_walk(config, prefix))


def _walk(config: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _walk(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
