"""Finding the ledger that a command's location overrides point to, and a sweep in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.config.compose import Locations
from kdsearch.config.compose import resolve_locations
from kdsearch.config.overrides import split
from kdsearch.config.place import is_set
from kdsearch.config.suggest import did_you_mean
from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from kdsearch.ledger import Ledger
    from kdsearch.ledger.records import SweepRecord
    from kdsearch.sweep import Sweep


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


def load_sweep(name: str, overrides: Sequence[str]) -> Sweep:
    """The sweep called `name`, at the locations that `overrides` name.

    Raises:
        InputError: as `find_sweep`.
    """
    from kdsearch.sweep import Sweep

    locations, ledger = find_ledger(overrides)
    try:
        record = find_sweep(ledger, name)
        storage = current_storage(record, locations, overrides)
        return Sweep(record, tuple(ledger.trials(name)), locations.ledger, storage)
    finally:
        ledger.close()


def current_storage(record: SweepRecord, locations: Locations, overrides: Sequence[str]) -> str:
    """Where the sweep's files are.

    Where a given `ledger=`, or the environment's, led to the sweep, its configuration knows, unless `storage=` is given
    too. Otherwise the ledger was found inside the storage, so this is where the storage is now, moved or not.
    """
    stored = _stored(record, "storage")
    is_elsewhere = (_is_given("ledger", overrides) or is_set("ledger")) and not _is_given("storage", overrides)
    return str(stored) if is_elsewhere and stored is not None else locations.storage


def stored_config(record: SweepRecord, locations: Locations, overrides: Sequence[str]) -> dict[str, Any]:
    """The sweep's configuration, with `storage` where it is now; a reference that still leads there is kept."""
    config = dict(record.config)
    storage = current_storage(record, locations, overrides)
    if storage != _stored(record, "storage"):
        config["storage"] = storage
    return config


def tracking_uri(record: SweepRecord, locations: Locations, overrides: Sequence[str]) -> str:
    """Where the sweep logged to: the override if one was given, else what the sweep's configuration says."""
    stored = _stored(record, "mlflow.tracking_uri")
    return locations.mlflow_uri if _is_given("mlflow.tracking_uri", overrides) or stored is None else str(stored)


def _stored(record: SweepRecord, key: str) -> object:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        return OmegaConf.select(OmegaConf.create(dict(record.config)), key)
    except OmegaConfBaseException as error:
        cause = str(error).splitlines()[0].rpartition("resolving interpolation: ")[2]
        raise InputError([Problem(key, record.config.get(key), f"leads nowhere: {cause}")]) from None


def _is_given(key: str, overrides: Sequence[str]) -> bool:
    return any(split(override)[0] == key for override in overrides)
