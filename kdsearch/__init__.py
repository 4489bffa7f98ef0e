"""kdsearch: distributed search over knowledge-distillation recipes."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    from kdsearch import objectives
    from kdsearch.api import distill
    from kdsearch.api import load_dataset
    from kdsearch.api import train_teacher
    from kdsearch.sweep import Sweep
    from kdsearch.sweep import load
    from kdsearch.sweep import run_sweep

__version__ = "0.1.0"

__all__ = ["Sweep", "distill", "load", "load_dataset", "objectives", "run_sweep", "train_teacher"]

_HOMES = {
    "distill": "kdsearch.api",
    "load_dataset": "kdsearch.api",
    "train_teacher": "kdsearch.api",
    "Sweep": "kdsearch.sweep",
    "load": "kdsearch.sweep",
    "run_sweep": "kdsearch.sweep",
}
"""Name → the module it comes from, imported at first use so that `import kdsearch` stays quick."""


def __getattr__(name: str) -> Any:
    if name == "objectives":
        return importlib.import_module("kdsearch.objectives")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
