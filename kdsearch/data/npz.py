"""Arrays in one `.npz` file, as `numpy.savez` writes it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from kdsearch.config.schema import Count
from kdsearch.config.schema import Frozen
from kdsearch.data.arrays import Arrays
from kdsearch.errors import InputError
from kdsearch.errors import Problem

ARRAYS = ("train_inputs", "train_targets", "test_inputs", "test_targets")


class NpzArguments(Frozen):
    class_count: Count | None = None
    """Null is the largest target + 1."""
    vocabulary_size: Count | None = None
    """Of token ids [N, L], 0 being padding; null where inputs are numbers."""


def load(root: Path | None, arguments: NpzArguments) -> Arrays:
    """The file `root`, which holds `train_inputs`, `train_targets`, `test_inputs` and `test_targets`.

    Inputs are taken as they are: bring them to a sensible scale before. Targets are integers. Nothing pickled is read.
    """
    if root is None or not root.is_file():
        reason = "must be given" if root is None else "no such file"
        raise InputError([Problem("dataset.root", root, f"{reason}; it must be a .npz file that holds {_needed()}")])
    arrays = _read(root)
    targets = np.concatenate([arrays["train_targets"].ravel(), arrays["test_targets"].ravel()])
    largest = int(targets.max(initial=-1))
    try:
        return Arrays(
            **arrays,
            class_count=arguments.class_count or largest + 1,
            vocabulary_size=arguments.vocabulary_size,
        )
    except ValueError as error:
        raise InputError([Problem("dataset.root", root, str(error))]) from error


def _needed() -> str:
    return ", ".join(ARRAYS)


def _read(path: Path) -> dict[str, Any]:
    try:
        file = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = f"is not a readable .npz file ({type(error).__name__}: {error})"
        raise InputError([Problem("dataset.root", path, reason)]) from error
    if not isinstance(file, np.lib.npyio.NpzFile):
        raise InputError([Problem("dataset.root", path, f"must be a .npz file that holds {_needed()}, not one array")])
    with file:
        found = {name: _array(file, name) for name in ARRAYS if name in file.files}
    absent = [name for name in ARRAYS if name not in found]
    reasons = [f"lacks {', '.join(absent)}; it must hold {_needed()}"] if absent else []
    for name, array in found.items():
        reasons += [array] if isinstance(array, str) else _type_problems(name, array)
    if reasons:
        raise InputError(Problem("dataset.root", path, reason) for reason in reasons)
    return found


def _array(file: Any, name: str) -> Any:
    """The array, or why it cannot be read."""
    try:
        return file[name]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        if "allow_pickle" in str(error):
            return f"{name} holds Python objects, which are not read; save it with a numeric type"
        return f"{name} is damaged ({type(error).__name__}: {error})"


def _type_problems(name: str, array: Any) -> list[str]:
    if name.endswith("targets") and not np.issubdtype(array.dtype, np.integer):
        return [f"{name} must hold integers, not {array.dtype}"]
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == np.bool_):
        return [f"{name} must hold numbers, not {array.dtype}"]
    if np.issubdtype(array.dtype, np.complexfloating):
        return [f"{name} must hold real numbers, not {array.dtype}"]
    return []
