"""Finding the ledger that a command's location overrides point to, and a sweep in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kdsearch.config.compose import Locations
from kdsearch.config.compose import resolve_locations
from kdsearch.config.suggest import did_you_mean
from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from kdsearch.ledger import Ledger
    from kdsearch.ledger.records import SweepRecord


def find_ledger(overrides: Sequence[str]) -> tuple[Locations, Ledger]:
    """The locations that `overrides` name, and the ledger there."""
    from kdsearch.ledger import open_ledger

    locations = resolve_locations(overrides)
    return locations, open_ledger(locations.ledger)


def find_sweep(ledger: Ledger, name: str) -> SweepRecord:
    """The sweep called `name`.

    Raises:
        InputError: there is none; names the ones there are.
    """
    record = ledger.sweep(name)
    if record is None:
        names = [sweep.name for sweep in ledger.sweeps()]
        there = f"there are {', '.join(names)}" if names else "there is none yet"
        raise InputError([Problem("NAME", name, f"no such sweep in this ledger; {there}{did_you_mean(name, names)}")])
    return record


def tracking_uri(record: SweepRecord, locations: Locations, overrides: Sequence[str]) -> str:
    """Where the sweep logged to: the override if one was given, else what the sweep's configuration says."""
    from omegaconf import OmegaConf

    stored = OmegaConf.select(OmegaConf.create(dict(record.config)), "mlflow.tracking_uri")
    is_given = any(override.lstrip("+").startswith("mlflow.tracking_uri=") for override in overrides)
    return locations.mlflow_uri if is_given or stored is None else str(stored)
