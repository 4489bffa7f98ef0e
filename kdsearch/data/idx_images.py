"""Grey images in IDX files: MNIST and those that took over its format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kdsearch.data.arrays import Arrays
from kdsearch.data.cache import cache_folder
from kdsearch.data.cache import one_line
from kdsearch.data.facts import Facts
from kdsearch.data.idx import find_idx
from kdsearch.data.idx import read_idx
from kdsearch.data.preprocessing import of_pixels
from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@dataclass(frozen=True)
class IdxImages:
    """One of torchvision's data sets of this format."""

    name: str
    """Of torchvision's class, and of the folder that it downloads to."""
    published: Facts
    mean: float
    """Of the training images' pixels, on a scale of 0 to 1; likewise the standard deviation."""
    deviation: float
    system_folder: Path | None = None
    package: str = ""
    """Debian's, which puts the files there."""

    def load(self, root: Path | None = None, arguments: object = None) -> Arrays:
        """From `root`, else the system's folder, else downloaded by torchvision into the cache folder."""
        folder = self.find_folder(root)
        if folder is None:
            self._download(cache_folder())
            folder = cache_folder()
        found = [path for name in FILES if (path := find_idx(folder, name, self.name)) is not None]
        train_images, train_labels, test_images, test_labels = [read_idx(path) for path in found]
        return Arrays(
            self._normalised(train_images),
            train_labels.astype(np.int64),
            self._normalised(test_images),
            test_labels.astype(np.int64),
            class_count=self.published.class_count,
            class_names=self.published.class_names,
            preprocessing=of_pixels(255, [self.mean], [self.deviation]),
        )

    def facts(self, root: Path | None = None, arguments: object = None) -> Facts:
        """As published; without a root there is always a place to read or download from."""
        reason = None if root is None else self.missing(root)
        if reason is not None:
            raise InputError([Problem("dataset.root", str(root), reason)])
        return self.published

    def downloads(self, root: Path | None) -> bool:
        return self.find_folder(root) is None

    def find_folder(self, root: Path | None) -> Path | None:
        if root is not None:
            return root
        candidates = (self.system_folder, cache_folder())
        return next((folder for folder in candidates if folder and self.missing(folder) is None), None)

    def missing(self, folder: Path) -> str | None:
        """Why `folder` cannot be used, or None."""
        if not folder.is_dir():
            return f"no such folder; it must hold {self._expected()}"
        absent = [name for name in FILES if find_idx(folder, name, self.name) is None]
        return f"lacks {', '.join(absent)}; it must hold {self._expected()}" if absent else None

    def _expected(self) -> str:
        return f"{', '.join(FILES)}, each with or without .gz, in it or in its {self.name}/raw"

    def _normalised(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        scaled = pixels.astype(np.float32)[:, None]
        scaled /= 255
        scaled -= self.mean
        scaled /= self.deviation
        return scaled

    def _download(self, folder: Path) -> None:
        from torchvision import datasets

        try:
            getattr(datasets, self.name)(str(folder), train=True, download=True)
        except Exception as error:  # torchvision raises whatever its mirrors and the network give
            looked = " or ".join(str(place) for place in (self.system_folder, folder) if place)
            install = f"install Debian's {self.package}, or " if self.package else ""
            allowed = (
                f"not found in {looked} and the download failed ({type(error).__name__}: {one_line(error)}); "
                f"{install}set it to a folder that holds {self._expected()}"
            )
            raise InputError([Problem("dataset.root", None, allowed)]) from error
