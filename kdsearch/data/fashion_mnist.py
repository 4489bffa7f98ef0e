"""Fashion-MNIST (Xiao, Rasul, Vollgraf, arXiv 1708.07747): 60,000 + 10,000 images of clothing, 28x28, 10 classes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from kdsearch.data.arrays import Arrays
from kdsearch.data.idx import find_idx
from kdsearch.data.idx import read_idx
from kdsearch.errors import InputError
from kdsearch.errors import Problem

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package `dataset-fashion-mnist` puts the files."""
MEAN, STANDARD_DEVIATION = 0.2860, 0.3530
"""Of the training images' pixels, on a scale of 0 to 1."""


def load(root: Path | None = None) -> Arrays:
    """From `root`, else Debian's folder, else downloaded by torchvision into a cache folder."""
    folder = find_folder(root)
    if folder is None:
        _download(_cache_folder())
        folder = _cache_folder()
    arrays = [read_idx(path) for path in _found(folder)]
    train_images, train_labels, test_images, test_labels = arrays
    return Arrays(
        _normalised(train_images),
        train_labels.astype(np.int64),
        _normalised(test_images),
        test_labels.astype(np.int64),
        class_count=10,
    )


def missing(root: Path | None) -> str | None:
    """Why `root` cannot be used, or None; without a root there is always a place to read or download from."""
    if root is None:
        return None
    if not root.is_dir():
        return f"no such folder; it must hold {_expected()}"
    absent = [name for name in FILES if find_idx(root, name) is None]
    return f"lacks {', '.join(absent)}; it must hold {_expected()}" if absent else None


def _expected() -> str:
    return f"{', '.join(FILES)}, each with or without .gz, in it or in its FashionMNIST/raw"


def find_folder(root: Path | None) -> Path | None:
    if root is not None:
        return root
    candidates = (DEBIAN_FOLDER, _cache_folder())
    return next((folder for folder in candidates if missing(folder) is None), None)


def _found(folder: Path) -> list[Path]:
    return [path for name in FILES if (path := find_idx(folder, name)) is not None]


def _normalised(pixels: np.ndarray) -> np.ndarray:
    scaled = pixels.astype(np.float32)[:, None]
    scaled /= 255
    scaled -= MEAN
    scaled /= STANDARD_DEVIATION
    return scaled


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kdsearch"


def _download(folder: Path) -> None:
    from torchvision.datasets import FashionMNIST

    try:
        FashionMNIST(str(folder), train=True, download=True)
    except Exception as error:  # torchvision raises whatever its mirrors and the network give
        allowed = (
            f"not found in {DEBIAN_FOLDER} and the download failed ({type(error).__name__}: {error}); "
            f"install Debian's dataset-fashion-mnist, or set it to a folder that holds {_expected()}"
        )
        raise InputError([Problem("dataset.root", None, allowed)]) from error
