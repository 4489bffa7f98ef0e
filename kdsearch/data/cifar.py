"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009): 50,000 + 10,000 colour images, 32x32, read by torchvision.

The files are pickles. torchvision compares each with its published MD5 before it opens it, and nothing here goes around
that.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kdsearch.data.arrays import Arrays
from kdsearch.data.cache import cache_folder
from kdsearch.data.cache import one_line
from kdsearch.data.facts import Facts
from kdsearch.data.preprocessing import of_pixels
from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torchvision.datasets import CIFAR10 as TorchvisionCifar


@dataclass(frozen=True)
class Cifar:
    """One of the two."""

    name: str
    """Of torchvision's class."""
    folder: str
    """That holds the files, inside `dataset.root`."""
    files: tuple[str, ...]
    published: Facts
    mean: tuple[float, float, float]
    """Of the training images' channels, on a scale of 0 to 1; likewise the standard deviation."""
    deviation: tuple[float, float, float]

    def load(self, root: Path | None = None, arguments: object = None) -> Arrays:
        """From `root`, else from the cache folder, downloaded first by torchvision where it is not there."""
        from torchvision import datasets

        reader = getattr(datasets, self.name)
        if root is None and self.downloads(root):
            self._download(reader, cache_folder())
        return self.read(reader, self._base(root))

    def read(self, reader: type[TorchvisionCifar], base: Path) -> Arrays:
        """The data set as `reader`, torchvision's class or one with other checksums, finds it in `base`.

        Raises:
            InputError: a file is missing or is not what its checksum says.
        """
        try:
            train, test = (reader(str(base), train=is_train) for is_train in (True, False))
        except RuntimeError as error:
            allowed = f"its {self.folder} is incomplete, or a file is not the published one (MD5); unpack it anew"
            raise InputError([Problem("dataset.root", str(base), allowed)]) from error
        return Arrays(
            self._normalised(train.data),
            np.asarray(train.targets),
            self._normalised(test.data),
            np.asarray(test.targets),
            class_count=len(train.classes),
            class_names=tuple(train.classes),
            preprocessing=of_pixels(255, self.mean, self.deviation),
        )

    def facts(self, root: Path | None = None, arguments: object = None) -> Facts:
        """As published; without a root there is always a place to read or download from."""
        absent = [] if root is None else self._absent(self._base(root))
        if absent:
            allowed = f"lacks {', '.join(absent)}; it must hold the unpacked folder {self.folder}"
            raise InputError([Problem("dataset.root", str(root), allowed)])
        return self.published

    def downloads(self, root: Path | None) -> bool:
        return root is None and bool(self._absent(cache_folder()))

    def _base(self, root: Path | None) -> Path:
        """The folder that holds `folder`; a root that is `folder` itself is as good."""
        root = cache_folder() if root is None else root
        return root.parent if root.name == self.folder else root

    def _absent(self, base: Path) -> list[str]:
        return [f"{self.folder}/{file}" for file in self.files if not (base / self.folder / file).is_file()]

    def _normalised(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """[N, height, width, 3] bytes as [N, 3, height, width]."""
        scaled = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32)
        scaled /= 255
        scaled -= np.array(self.mean, np.float32)[:, None, None]
        scaled /= np.array(self.deviation, np.float32)[:, None, None]
        return scaled

    def _download(self, reader: type[TorchvisionCifar], folder: Path) -> None:
        try:
            reader(str(folder), download=True)
        except Exception as error:  # torchvision raises whatever its mirrors and the network give
            allowed = (
                f"not found in {folder} and the download failed ({type(error).__name__}: {one_line(error)}); "
                f"set it to a folder that holds the unpacked folder {self.folder}"
            )
            raise InputError([Problem("dataset.root", None, allowed)]) from error


CIFAR10 = Cifar(
    name="CIFAR10",
    folder="cifar-10-batches-py",
    files=(*(f"data_batch_{index}" for index in range(1, 6)), "test_batch", "batches.meta"),
    published=Facts((5000,) * 10, 10_000, (3, 32, 32)),
    mean=(0.4914, 0.4822, 0.4465),
    deviation=(0.2470, 0.2435, 0.2616),
)
CIFAR100 = Cifar(
    name="CIFAR100",
    folder="cifar-100-python",
    files=("train", "test", "meta"),
    published=Facts((500,) * 100, 10_000, (3, 32, 32)),
    mean=(0.5071, 0.4865, 0.4409),
    deviation=(0.2673, 0.2564, 0.2762),
)
