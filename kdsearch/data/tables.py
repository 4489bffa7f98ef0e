"""Tables with numeric and categorical columns, from CSV or parquet files."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import Literal

import numpy as np

from kdsearch.config.schema import Frozen
from kdsearch.data.arrays import Arrays
from kdsearch.data.frames import FileArguments
from kdsearch.data.frames import Part
from kdsearch.data.frames import column_problems
from kdsearch.data.frames import encode_labels
from kdsearch.data.frames import label_problems
from kdsearch.data.frames import missing_problems
from kdsearch.data.frames import read_parts
from kdsearch.data.preprocessing import of_columns
from kdsearch.errors import InputError
from kdsearch.errors import Problem

MAX_CATEGORIES = 1000
"""Columns with more different values are names or free text, which one-hot columns do not help."""


class ColumnArguments(Frozen):
    """Which columns are used, and how."""

    categorical: tuple[str, ...] = ()
    """Columns of numbers that stand for categories; text and booleans are taken as categories anyway."""
    ignore: tuple[str, ...] = ()
    """Columns that are left out."""


class TableArguments(FileArguments, ColumnArguments):
    target: str
    """The column with the class."""


def load(root: Path | None, arguments: TableArguments) -> Arrays:
    return encode_table(read_parts(root, arguments), arguments.target, arguments, arguments.test_fraction)


def encode_table(
    parts: Sequence[Part],
    target: str,
    arguments: ColumnArguments,
    test_fraction: float,
    class_names: Sequence[str] | None = None,
) -> Arrays:
    """Inputs [N, F]: a column for each numeric one, standardised, then one for each value of the categorical ones.

    Mean and standard deviation are the training part's. So are the categories, unless the test part is split off here:
    then they are those of the whole table.

    Raises:
        InputError: columns that are missing or cannot be used, values that are missing, unseen categories; all of it.
    """
    problems = column_problems(
        parts, {"target": [target], "categorical": arguments.categorical, "ignore": arguments.ignore}
    )
    if problems:
        raise InputError(problems)
    columns = [name for name in parts[0].frame.columns if name != target and name not in arguments.ignore]
    if not columns:
        raise InputError([parts[0].problem("has no columns beside the target")])
    problems = [
        *_absent_in_test(parts, columns),
        *missing_problems(parts, [*columns, target]),
    ]
    kinds = {name: _kind(parts[0].frame[name], name in arguments.categorical) for name in columns}
    problems += _kind_problems(parts, kinds)
    categorical = [name for name, kind in kinds.items() if kind == "categorical"]
    categories = {name: _categories(parts[0].frame[name]) for name in categorical}
    problems += _category_problems(parts, categories)
    if not any(part.frame[target].isna().any() for part in parts):
        problems += label_problems(parts, target)
    if problems:
        raise InputError(problems)
    labels, (train, test) = encode_labels(parts, target, test_fraction, class_names)
    encoding = Encoding.of(train, [name for name in columns if name not in categories], categories)
    return Arrays(
        encoding.inputs(train),
        labels.train,
        encoding.inputs(test),
        labels.test,
        class_count=len(labels.names),
        class_names=labels.names,
        preprocessing=of_columns(encoding.numeric, encoding.mean, encoding.deviation, encoding.categories),
    )


@dataclass(frozen=True)
class Encoding:
    """From rows to numbers."""

    numeric: Sequence[str]
    mean: Any
    deviation: Any
    """Of each numeric column, [F_numeric]; 1 where a column has one value only."""
    categories: dict[str, list[Any]]

    @classmethod
    def of(cls, train: Any, numeric: Sequence[str], categories: dict[str, list[Any]]) -> Encoding:
        values = train[list(numeric)].to_numpy(dtype=np.float64)
        deviation = values.std(axis=0)
        return cls(numeric, values.mean(axis=0), np.where(deviation > 0, deviation, 1.0), categories)

    def inputs(self, frame: Any) -> Any:
        values = (frame[list(self.numeric)].to_numpy(dtype=np.float64) - self.mean) / self.deviation
        one_hot = [_one_hot(frame[name], values_) for name, values_ in self.categories.items()]
        return np.concatenate([values.astype(np.float32), *one_hot], axis=1)


def _one_hot(column: Any, categories: list[Any]) -> Any:
    import pandas as pd

    return np.eye(len(categories), dtype=np.float32)[
        pd.Index(categories, dtype=object).get_indexer(column.astype(object))
    ]


def _categories(column: Any) -> list[Any]:
    return sorted(column.dropna().astype(object).unique().tolist(), key=str)


def _kind(column: Any, is_listed: bool) -> Literal["numeric", "categorical", "neither"]:
    import pandas as pd
    from pandas.api import types

    if is_listed or types.is_bool_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype):
        return "categorical"
    if types.is_numeric_dtype(column) and not types.is_complex_dtype(column):
        return "numeric"
    is_text = types.is_string_dtype(column) or all(isinstance(value, str | bool) for value in column.dropna())
    return "categorical" if is_text else "neither"


def _absent_in_test(parts: Sequence[Part], columns: Sequence[str]) -> list[Problem]:
    return [
        part.problem(f"lacks the column {name} of {parts[0].name}")
        for part in parts[1:]
        for name in columns
        if name not in part.frame.columns
    ]


def _kind_problems(parts: Sequence[Part], kinds: Mapping[str, str]) -> list[Problem]:
    """Columns that are neither numbers nor categories, and numeric ones with values that are not finite numbers."""
    from pandas.api import types

    problems = []
    for name, kind in kinds.items():
        if kind == "neither":
            dtype = parts[0].frame[name].dtype
            allowed = f"column {name} is {dtype}, not numbers, text or booleans; dataset.arguments.ignore leaves it out"
            problems.append(parts[0].problem(allowed))
        if kind != "numeric":
            continue
        for part in parts:
            column = part.frame[name] if name in part.frame.columns else parts[0].frame[name]
            if not types.is_numeric_dtype(column):
                problems.append(part.problem(f"column {name} holds text, in {parts[0].name} it holds numbers"))
            elif (count := int(np.isinf(column.dropna().to_numpy(dtype=np.float64)).sum())) > 0:
                problems.append(part.problem(f"column {name} has {count} infinite value{'s' * (count > 1)}"))
    return problems


def _category_problems(parts: Sequence[Part], categories: dict[str, list[Any]]) -> list[Problem]:
    """Columns with too many categories, and those of the test part that the training part does not have."""
    problems = []
    for name, known in categories.items():
        if len(known) > MAX_CATEGORIES:
            allowed = (
                f"column {name} has {len(known)} different values; dataset.arguments.ignore=[{name}] leaves it out"
            )
            problems.append(parts[0].problem(allowed))
            continue
        for part in parts[1:]:
            if name not in part.frame.columns:
                continue
            column = part.frame[name].dropna().astype(object)
            unseen = column[~column.isin(known)]
            if len(unseen):
                names = [str(value) for value in unseen.unique()]
                shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
                rows = f"{len(unseen)} row{'s' * (len(unseen) > 1)}"
                problems.append(part.problem(f"column {name} holds {shown} in {rows}; the training part never has it"))
    return problems
