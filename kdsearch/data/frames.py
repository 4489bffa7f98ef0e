"""Tables as pandas frames: read from CSV or parquet files, looked over, their labels made class indices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from kdsearch.config.schema import Frozen
from kdsearch.config.suggest import did_you_mean
from kdsearch.data.holdout import lone_class_problems
from kdsearch.data.holdout import split_off
from kdsearch.data.image_folders import TestFraction
from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = (".csv", ".parquet")


class FileArguments(Frozen):
    train: str
    """CSV or parquet file, relative to `dataset.root`; likewise the test file."""
    test: str | None = None
    test_fraction: TestFraction = 0.2
    """Share of the rows that becomes the test part, where there is no test file."""


@dataclass(frozen=True)
class Part:
    """Rows of the training part or of the test part, and what to call them in messages."""

    key: str
    name: str
    frame: Any
    """A `pandas.DataFrame`."""

    def problem(self, reason: str) -> Problem:
        return Problem(self.key, self.name, reason)


@dataclass(frozen=True)
class Labels:
    """Class indices of both parts, and the names of the classes."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    names: tuple[str, ...]


def read_parts(root: Path | None, arguments: FileArguments) -> list[Part]:
    """The training part and, where there is a file of it, the test part.

    Raises:
        InputError: files that are missing or cannot be read, all of them.
    """
    parts: list[Part] = []
    problems: list[Problem] = []
    for key, name in (("train", arguments.train), ("test", arguments.test)):
        if name is not None:
            path = Path(name).expanduser() if root is None else root / name
            found = _read(f"dataset.arguments.{key}", path)
            if isinstance(found, Problem):
                problems.append(found)
            else:
                parts.append(found)
    if problems:
        raise InputError(problems)
    return parts


def _read(key: str, path: Path) -> Part | Problem:
    import pandas as pd

    if not path.is_absolute():
        return Problem(key, path, "must be an absolute path, or dataset.root must be the folder that it is in")
    if not path.is_file():
        return Problem(key, path, "no such file")
    if path.suffix not in SUFFIXES:
        return Problem(key, path, f"must end in {' or '.join(SUFFIXES)}")
    try:
        frame = pd.read_csv(path, low_memory=False) if path.suffix == ".csv" else pd.read_parquet(path)
    except Exception as error:  # each of pandas' engines has errors of its own
        return Problem(key, path, f"cannot be read ({type(error).__name__}: {error})")
    frame.columns = [str(column) for column in frame.columns]
    return Part(key, str(path), frame) if len(frame) else Problem(key, path, "holds no rows")


def column_problems(parts: Sequence[Part], wanted: dict[str, Sequence[str]]) -> list[Problem]:
    """The columns that are not there: those named by arguments, by argument, in each part."""
    problems = []
    for argument, columns in wanted.items():
        for column in columns:
            lacking = [part for part in parts if column not in part.frame.columns]
            if lacking:
                known = list(lacking[0].frame.columns)
                hint = did_you_mean(column, known) or f"; it has {', '.join(known[:20])}"
                allowed = f"is no column of {' or '.join(part.name for part in lacking)}{hint}"
                problems.append(Problem(f"dataset.arguments.{argument}", column, allowed))
    return problems


def missing_problems(parts: Sequence[Part], columns: Sequence[str]) -> list[Problem]:
    """Columns with rows that have no value."""
    problems = []
    for part in parts:
        counts = {column: int(part.frame[column].isna().sum()) for column in columns if column in part.frame.columns}
        problems += [
            part.problem(f"column {column} has {count} row{'s' * (count > 1)} without a value; fill or drop them")
            for column, count in counts.items()
            if count
        ]
    return problems


def label_problems(parts: Sequence[Part], target: str) -> list[Problem]:
    """What is wrong with labels that are all there: measured numbers, one class, classes of the test part alone."""
    import pandas as pd

    train = parts[0].frame[target]
    for part in parts:
        column = part.frame[target]
        if pd.api.types.is_float_dtype(column):
            odd = column[(column != column.round()) | np.isinf(column)]
            if len(odd):
                return [part.problem(f"column {target} must hold classes; {odd.iloc[0]} is a measured number")]
    classes = _classes(train)
    if len(classes) < 2:
        return [parts[0].problem(f"column {target} holds {len(classes)} class; at least 2 are needed")]
    return [
        part.problem(f"column {target} holds the class {name} in the test part alone")
        for part in parts[1:]
        for name in _classes(part.frame[target])
        if name not in classes
    ]


def encode_labels(
    parts: Sequence[Part], target: str, test_fraction: float, names: Sequence[str] | None = None
) -> tuple[Labels, list[Any]]:
    """Labels and frames of training part and test part; without a test part, a fraction is split off.

    Classes are in the order of `names`, else sorted: numbers by value, everything else by its text.

    Raises:
        InputError: a class with a single row, where a test part is split off.
    """
    names = _classes(parts[0].frame[target]) if names is None else names
    index = {name: position for position, name in enumerate(names)}
    targets = [np.array([index[name] for name in _texts(part.frame[target])], dtype=np.int64) for part in parts]
    if len(parts) == 2:
        return Labels(targets[0], targets[1], tuple(names)), [part.frame for part in parts]
    counts = np.bincount(targets[0], minlength=len(names)).tolist()
    problems = lone_class_problems(parts[0].key, parts[0].name, counts, names, "a test part beside the training part")
    if problems:
        raise InputError(problems)
    train, test = split_off(targets[0], test_fraction)
    frames = [parts[0].frame.iloc[rows].reset_index(drop=True) for rows in (train, test)]
    return Labels(targets[0][train], targets[0][test], tuple(names)), frames


def _classes(column: Any) -> list[str]:
    import pandas as pd

    values = column.unique().tolist()
    is_numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    return [_text(value) for value in sorted(values, key=None if is_numeric else str)]


def _texts(column: Any) -> list[str]:
    return [_text(value) for value in column.tolist()]


def _text(value: object) -> str:
    """The same class is 3 in one file and 3.0 in another."""
    return str(int(value)) if isinstance(value, float) else str(value)
