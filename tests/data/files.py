"""Data sets as files of their true formats, small."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from kdsearch.config.schema import DatasetConfig
from kdsearch.data.idx_images import FILES


def config(name: str, root: Path | None = None, validation_count: int = 4, **arguments: object) -> DatasetConfig:
    place = None if root is None else str(root)
    return DatasetConfig(name=name, root=place, validation_count=validation_count, arguments=arguments)


def write_idx(path: Path, array: np.ndarray) -> None:
    content = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_mnist(folder: Path, suffix: str) -> np.ndarray:
    """30 + 10 images of MNIST's format, which Fashion-MNIST shares; the training images."""
    images = np.random.default_rng(0).integers(0, 256, (30, 28, 28), dtype=np.uint8)
    labels = (np.arange(30) % 10).astype(np.uint8)
    for name, array in zip(FILES, (images, labels, images[:10], labels[:10]), strict=True):
        write_idx(folder / (name + suffix), array)
    return images


def write_image(path: Path, seed: int = 0, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> None:
    """Noise of width and height `size`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8), mode=mode).save(path)


def write_folders(root: Path, classes: Sequence[str] = ("cat", "dog"), count: int = 5, suffix: str = ".png") -> None:
    """`count` images of each class in a folder of its own."""
    for index, name in enumerate(classes):
        for number in range(count):
            write_image(root / name / f"{number}{suffix}", seed=100 * index + number)
