"""Packages that only some data sets need."""

from __future__ import annotations

import importlib
from typing import Any

from kdsearch.errors import InputError
from kdsearch.errors import Problem


def import_optional(package: str, extra: str) -> Any:
    """
    Raises:
        InputError: saying how to install it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        advice = f"needs the package {package}: pip install 'kdsearch[{extra}]'"
        raise InputError([Problem("dataset", extra, f"{advice} ({error})")]) from error
