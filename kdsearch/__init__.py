"""kdsearch: distributed search over knowledge-distillation recipes."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_EXPORTS = {
    "load_dataset": "kdsearch.api",
    "train_teacher": "kdsearch.api",
    "distill": "kdsearch.api",
}
"""Name → the module it comes from, imported at first use so that `import kdsearch` stays quick."""


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_EXPORTS])
