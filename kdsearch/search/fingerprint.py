"""What a sweep's results depend on besides its configuration, and what has changed since an earlier attempt.

Other data make finished trials incomparable, so they are refused. Other versions, another kind of device, or an edit to
the user's own code may or may not, which only the user can know: they are told, and the sweep goes on.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kdsearch.config.check_models import all_models
from kdsearch.config.schema import SweepConfig
from kdsearch.data import Splits
from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.imports import import_target

if TYPE_CHECKING:
    import torch

DATA = "data"


def fingerprint(config: SweepConfig, splits: Splits, device: torch.device) -> dict[str, str]:
    """By name: a hash of the data and of each file of the user's own code, versions, the kind of device."""
    import torch

    from kdsearch import __version__

    return {
        DATA: splits.fingerprint,
        "device": device.type,
        "kdsearch": __version__,
        "torch": torch.__version__.partition("+")[0],
        **{f"code of {target}": _source_hash(key, target) for key, target in _targets(config)},
    }


def check_same_data(config: SweepConfig, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """
    Raises:
        InputError: the data set's content is not what finished trials were trained on.
    """
    if before.get(DATA, now[DATA]) != now[DATA]:
        advice = "its content has changed since the sweep began, so finished trials would not be comparable"
        raise InputError([Problem("dataset", config.dataset.name, f"{advice}: give the sweep another name")])


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What is different from the attempt before, for the user."""
    return [_told(name, before[name], now[name]) for name in now if before.get(name, now[name]) != now[name]]


def _told(name: str, before: str, now: str) -> str:
    if name.startswith("code of "):
        return f"The {name} has changed since the last attempt; whether trials stay comparable is yours to judge"
    return f"{name} is now {now}, it was {before} in the last attempt; results may differ slightly"


def _targets(config: SweepConfig) -> Iterator[tuple[str, str]]:
    models = [(f"{key}._target_", model.target) for key, model in all_models(config)]
    places = [("dataset._target_", config.dataset.target), *models]
    yield from {target: (key, target) for key, target in places if target is not None}.values()


def _source_hash(key: str, target: str) -> str:
    """Of the file that defines it; empty where there is none (a compiled extension)."""
    try:
        file = inspect.getsourcefile(inspect.unwrap(import_target(key, target)))
    except TypeError:
        file = None
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
