"""The IDX file format of MNIST and its relatives (Yann LeCun's description on the MNIST page)."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNSIGNED_BYTE = 0x08


def find_idx(folder: Path, name: str, dataset: str) -> Path | None:
    """The file `name`, gzipped or not, in `folder` or where torchvision puts it for its class `dataset`."""
    places = (folder, folder / dataset / "raw", folder / "raw")
    candidates = (place / (name + suffix) for place in places for suffix in (".gz", ""))
    return next((path for path in candidates if path.is_file()), None)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """An array of unsigned bytes.

    Raises:
        InputError: the file is not IDX, is cut short, or cannot be read.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return _parse(content)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = f"{path.name} is not a readable IDX file ({type(error).__name__}: {error})"
        raise InputError([Problem("dataset.root", str(path.parent), reason)]) from error


def _parse(content: bytes) -> NDArray[np.uint8]:
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != UNSIGNED_BYTE:
        raise ValueError("wrong magic number")
    axes = content[3]
    shape = tuple(int(size) for size in np.frombuffer(content, dtype=">u4", count=axes, offset=4))
    values = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * axes)
    if len(values) != math.prod(shape):
        raise ValueError(f"{len(values)} values for shape {shape}")
    return values.reshape(shape)
