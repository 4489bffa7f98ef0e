"""Data sets as files of their true formats, small."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import rdata
from PIL import Image

from kdsearch.config.schema import DatasetConfig
from kdsearch.data.idx_images import FILES
from kdsearch.data.mlbench import Mlbench
from kdsearch.data.spam_assassin import GROUPS


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


def write_mlbench(folder: Path, of: Mlbench) -> pd.DataFrame:
    """A file of the real one's shape, with other numbers in it."""
    rng = np.random.default_rng(0)
    rows = of.published.train_count + of.published.test_count
    classes = np.resize(np.array(of.published.class_names), rows)
    columns = {f"x.{i}": rng.normal(i, 1 + i, rows) for i in range(of.published.input_shape[0])}
    frame = pd.DataFrame({of.target: pd.Categorical(classes), **columns})
    folder.mkdir(parents=True, exist_ok=True)
    rdata.write_rda(folder / f"{of.name}.rda", {of.name: frame})
    return frame


def write_mails(folder: Path) -> None:
    """A mail corpus of ten messages in each group, and one that is there twice."""
    for group, label in GROUPS.items():
        (folder / group).mkdir(parents=True)
        for number in range(10):
            word = "cheap pills" if label == "spam" else "the patch applies"
            text = f"From a@{group} Thu\nReceived: by secret.host\nSubject: {word} {number} {group}\n\n{word}\nbye\n"
            (folder / group / f"{number:05}.x.json").write_text(json.dumps({"id": str(number), "text": text}))
    twice = folder / "spam-1" / "99999.x.json"
    twice.write_bytes((folder / "spam-1" / "00000.x.json").read_bytes())
