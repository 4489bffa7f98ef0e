"""The configuration that a command's words make, as `--cfg job` prints it: references to secrets stay references."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.cli.arguments import at_most_one_name
from kdsearch.cli.arguments import one_name
from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from kdsearch.config.compose import Composed


def print_config(config: Mapping[str, Any]) -> None:
    from omegaconf import OmegaConf

    print(OmegaConf.to_yaml(dict(config)), end="")


def new_config(options: argparse.Namespace) -> Mapping[str, Any]:
    """Of a command that takes a sweep's overrides."""
    from kdsearch.config.compose import compose_sweep

    return compose_sweep(options.words, outside_world=False).stored


def named_config(options: argparse.Namespace) -> Mapping[str, Any]:
    """Of a command about a sweep that is there: its stored configuration, with the places that are given."""
    name, overrides = one_name(options.words)
    return stored_sweep(name, overrides, only_places=True).stored


def places(options: argparse.Namespace) -> Mapping[str, Any]:
    """Of a command about all sweeps of a ledger, or about one that is named."""
    from kdsearch.config.compose import stored_locations

    name, overrides = at_most_one_name(options.words)
    return stored_locations(overrides) if name is None else named_config(options)


def stored_sweep(
    name: str, overrides: Sequence[str], *, outside_world: bool = False, only_places: bool = False
) -> Composed:
    """The stored configuration of a sweep with `overrides` on top.

    Raises:
        InputError: there is no such sweep, or everything that is wrong with the overrides.
    """
    from kdsearch.cli.lookup import find_ledger
    from kdsearch.cli.lookup import find_sweep
    from kdsearch.cli.lookup import stored_config
    from kdsearch.config.compose import LOCATIONS
    from kdsearch.config.compose import apply_overrides
    from kdsearch.config.overrides import split

    given = {split(override)[0]: override for override in overrides}
    if "name" in given:
        raise InputError([Problem("name", split(given["name"])[1], "a sweep keeps its name")])
    where = overrides if only_places else [override for key, override in given.items() if key in LOCATIONS]
    locations, ledger = find_ledger(where)
    try:
        record = find_sweep(ledger, name)
    finally:
        ledger.close()
    return apply_overrides(stored_config(record, locations, overrides), overrides, outside_world=outside_world)
