"""Data sets of the Hugging Face hub, or local ones that the library `datasets` reads: images, texts or tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdsearch.config.suggest import one_of
from kdsearch.data.arrays import Arrays
from kdsearch.data.cache import one_line
from kdsearch.data.frames import Part
from kdsearch.data.frames import column_problems
from kdsearch.data.frames import encode_labels
from kdsearch.data.frames import label_problems
from kdsearch.data.frames import missing_problems
from kdsearch.data.image_files import UNREADABLE
from kdsearch.data.image_folders import PixelArguments
from kdsearch.data.image_folders import TestFraction
from kdsearch.data.packages import import_optional
from kdsearch.data.preprocessing import of_images
from kdsearch.data.tables import ColumnArguments
from kdsearch.data.tables import encode_table
from kdsearch.data.texts import TokenArguments
from kdsearch.data.texts import encode_texts
from kdsearch.errors import InputError
from kdsearch.errors import Problem

ARGUMENTS = "dataset.arguments"
_ROW = "_row"
"""Column that says which row of the data set a row of the frame is."""


class HubArguments(PixelArguments, TokenArguments, ColumnArguments):
    path: str | None = None
    """Name on the hub, such as `user/name`; null where `dataset.root` is a local folder."""
    configuration: str | None = None
    """Which of the data set's configurations, where it has several; likewise the git revision."""
    revision: str | None = None
    train_split: str = "train"
    test_split: str | None = "test"
    """Null splits `test_fraction` off the training split."""
    test_fraction: TestFraction = 0.2
    image: str | None = None
    """The column with images, or the one with texts; with neither, all columns are a table."""
    text: str | None = None
    target: str = "label"
    """The column with the class."""


def load(root: Path | None, arguments: HubArguments) -> Arrays:
    """Inputs as image folders, texts or tables give them; images are decoded into memory.

    Raises:
        InputError: a data set, split or column that is not there, and whatever is wrong with the rows.
    """
    _check(root, arguments)
    splits = _load(root, arguments)
    names = [arguments.train_split] + ([arguments.test_split] if arguments.test_split else [])
    absent = [
        Problem(f"{ARGUMENTS}.{_split_key(i)}", n, one_of(n, splits)) for i, n in enumerate(names) if n not in splits
    ]
    if absent:
        raise InputError(absent)
    chosen = [splits[name] for name in names]
    class_names = _class_names(chosen[0], arguments.target)
    parts = [
        _part(i, name, split, arguments, class_names) for i, (name, split) in enumerate(zip(names, chosen, strict=True))
    ]
    if arguments.image is not None:
        return _images(parts, chosen, arguments, class_names)
    if arguments.text is not None:
        return encode_texts(parts, arguments.text, arguments.target, arguments, arguments.test_fraction, class_names)
    return encode_table(parts, arguments.target, arguments, arguments.test_fraction, class_names)


def _check(root: Path | None, arguments: HubArguments) -> None:
    problems = []
    if (root is None) == (arguments.path is None):
        allowed = f"must be a name on the hub, or null and dataset.root a local folder; root is {root or 'null'}"
        problems.append(Problem(f"{ARGUMENTS}.path", arguments.path, allowed))
    elif root is not None and not root.exists():
        problems.append(Problem("dataset.root", root, "no such folder"))
    if arguments.image is not None and arguments.text is not None:
        problems.append(Problem(f"{ARGUMENTS}.text", arguments.text, "must be null, because image is set"))
    if problems:
        raise InputError(problems)


def _load(root: Path | None, arguments: HubArguments) -> dict[str, Any]:
    """All splits by name."""
    datasets = import_optional("datasets", "huggingface")
    try:
        if root is not None and any((root / name).is_file() for name in ("dataset_dict.json", "state.json")):
            found = datasets.load_from_disk(str(root))
        else:
            source = arguments.path if root is None else str(root)
            found = datasets.load_dataset(source, arguments.configuration, revision=arguments.revision)
    except Exception as error:  # the library raises what network, files and its own checks give
        key, value = (f"{ARGUMENTS}.path", arguments.path) if root is None else ("dataset.root", root)
        reason = f"cannot be loaded ({type(error).__name__}: {one_line(error)})"
        raise InputError([Problem(key, value, reason)]) from error
    return dict(found) if isinstance(found, dict) else {arguments.train_split: found}


def _split_key(position: int) -> str:
    return ("train_split", "test_split")[position]


def _class_names(split: Any, target: str) -> tuple[str, ...] | None:
    """Where the data set itself says what its classes are called."""
    names = getattr(split.features.get(target), "names", None)
    return None if names is None else tuple(names)


def _part(position: int, name: str, split: Any, arguments: HubArguments, names: Sequence[str] | None) -> Part:
    """A split without its images as a frame, with classes by name where they have one."""
    if arguments.image is not None:
        absent = [c for c in (arguments.image, arguments.target) if c not in split.column_names]
        kept = [] if absent else [arguments.target]
        frame = split.select_columns(kept).to_pandas() if kept else _empty(split.column_names)
    else:
        frame = split.to_pandas()
    if names is not None and arguments.target in frame.columns:
        # The library's mark for a row without a label is -1.
        frame[arguments.target] = [names[int(i)] if i is not None and i >= 0 else None for i in frame[arguments.target]]
    return Part(f"{ARGUMENTS}.{_split_key(position)}", name, frame)


def _empty(columns: Sequence[str]) -> Any:
    import pandas as pd

    return pd.DataFrame(columns=list(columns))


def _images(
    parts: Sequence[Part], splits: Sequence[Any], arguments: HubArguments, names: Sequence[str] | None
) -> Arrays:
    target, image = arguments.target, str(arguments.image)
    lacking = [Part(p.key, p.name, _empty(s.column_names)) for p, s in zip(parts, splits, strict=True)]
    problems = column_problems(lacking, {"image": [image], "target": [target]})
    if problems:
        raise InputError(problems)
    problems = missing_problems(parts, [target])
    problems = problems or label_problems(parts, target)
    decoded = []
    for part, split in zip(parts, splits, strict=True):
        images, more = _decode(part, split, image, arguments)
        decoded.append(images)
        problems += more
    if problems:
        raise InputError(problems)
    for part in parts:
        part.frame[_ROW] = np.arange(len(part.frame))
    labels, frames = encode_labels(parts, target, arguments.test_fraction, names)
    sources = decoded if len(decoded) == 2 else decoded * 2
    train, test = (images[frame[_ROW].to_numpy()] for images, frame in zip(sources, frames, strict=True))
    return Arrays(
        train,
        labels.train,
        test,
        labels.test,
        class_count=len(labels.names),
        class_names=labels.names,
        preprocessing=of_images(arguments.format()),
    )


def _decode(part: Part, split: Any, column: str, arguments: HubArguments) -> tuple[Any, list[Problem]]:
    format_ = arguments.format()
    images = np.zeros((len(split), *format_.shape), dtype=np.float32)
    problems = []
    for row in range(len(split)):
        try:
            images[row] = format_.array(split[row][column])
        except (*UNREADABLE, AttributeError) as error:
            reason = f"column {column}, row {row} is not a readable image ({type(error).__name__}: {error})"
            problems.append(part.problem(reason))
    return images, problems
