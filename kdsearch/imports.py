"""Users' own code, named in a config by its import path."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from kdsearch.errors import InputError
from kdsearch.errors import Problem


def import_target(key: str, target: str) -> Callable[..., Any]:
    """The callable at the dotted path `target` (`package.module.function`).

    Raises:
        InputError: naming `key`, when the module cannot be imported, has no such name, or the name cannot be called.
    """
    module_name, _, name = target.rpartition(".")
    if not module_name:
        raise InputError([Problem(key, target, "must be an import path such as `package.module.function`")])
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise InputError([Problem(key, target, f"cannot be imported ({type(error).__name__}: {error})")]) from error
    if not callable(found):
        raise InputError([Problem(key, target, "must be a function or a class")])
    return found
