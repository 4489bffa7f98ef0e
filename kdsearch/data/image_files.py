"""Images that stay on disk until they are needed."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

import numpy as np

from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from numpy.typing import DTypeLike
    from numpy.typing import NDArray
    from PIL.Image import Image

T = TypeVar("T")

IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pixels, on a scale of 0 to 1; what pretrained networks expect."""
THREADS = min(16, 2 * (os.cpu_count() or 1))


@dataclass(frozen=True)
class ImageFormat:
    """What every image is brought to: float32 [channels, size, size], normalised per channel."""

    size: int
    mean: tuple[float, ...] = IMAGENET_MEAN
    deviation: tuple[float, ...] = IMAGENET_DEVIATION

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.mean), self.size, self.size

    @property
    def bytes_per_image(self) -> int:
        return 4 * len(self.mean) * self.size**2

    def array(self, image: Image) -> NDArray[np.float32]:
        """The shorter side is resized to `size` (bilinear, antialiased) and the longer one cut at both ends."""
        from PIL.Image import Resampling
        from PIL.ImageOps import fit

        mode = "L" if len(self.mean) == 1 else "RGB"
        # A JPEG is decoded at a fraction of its size where that is still twice the size wanted.
        image.draft(mode, (2 * self.size, 2 * self.size))
        image = image.convert(mode)
        if image.size != (self.size, self.size):
            image = fit(image, (self.size, self.size), method=Resampling.BILINEAR)
        pixels = np.asarray(image, dtype=np.float32).reshape(self.size, self.size, -1) / 255
        normalised = (pixels - np.array(self.mean, np.float32)) / np.array(self.deviation, np.float32)
        return np.ascontiguousarray(normalised.transpose(2, 0, 1))


@dataclass(frozen=True)
class ImageFiles:
    """Image files as if they were one array float32 [N, C, H, W], decoded when indexed.

    `images[index]` with an array of positions or a slice gives a decoded ndarray, `images.take(positions)` another lazy
    one, and `np.asarray(images)` decodes all. The files must be in the same place wherever it is used.
    """

    root: Path
    paths: NDArray[Any]
    """Relative to `root`, [N]."""
    format: ImageFormat

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.paths), *self.format.shape)

    @property
    def ndim(self) -> int:
        return 4

    @property
    def dtype(self) -> np.dtype[np.float32]:
        return np.dtype(np.float32)

    @property
    def nbytes(self) -> int:
        """Of the decoded images."""
        return len(self) * self.format.bytes_per_image

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """
        Raises:
            InputError: naming the files that cannot be decoded.
        """
        return self._decoded(self.paths[index])

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or np.float32, copy=False)

    def take(self, indices: NDArray[np.int64], axis: int = 0) -> ImageFiles:
        if axis != 0:
            raise ValueError("images can be taken along their first axis alone")
        return dataclasses.replace(self, paths=self.paths[indices])

    def fingerprint(self) -> str:
        """SHA-256 of relative paths, file sizes and format: not of the content, which would take hours to read."""
        digest = hashlib.sha256(str(self.format).encode())
        sizes = _in_threads(lambda path: (self.root / path).stat().st_size, self.paths)
        for path, size in zip(self.paths, sizes, strict=True):
            digest.update(f"{path}\0{size}\0".encode())
        return digest.hexdigest()

    def _decoded(self, paths: NDArray[Any]) -> NDArray[np.float32]:
        images = np.empty((len(paths), *self.format.shape), dtype=np.float32)

        def decode(position: int) -> Problem | None:
            path = self.root / paths[position]
            try:
                with open_image(path) as image:
                    images[position] = self.format.array(image)
            except UNREADABLE as error:
                return _unreadable(path, error)
            return None

        problems = [problem for problem in _in_threads(decode, range(len(paths))) if problem is not None]
        if problems:
            raise InputError(problems)
        return images


UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, RuntimeError)
"""What Pillow raises for files that it cannot read, whatever is wrong with them."""


def header_problems(paths: Iterable[Path]) -> list[Problem]:
    """The files that are no image that Pillow knows, judged by their headers."""

    def look(path: Path) -> Problem | None:
        try:
            open_image(path).close()
        except UNREADABLE as error:
            return _unreadable(path, error)
        return None

    return [problem for problem in _in_threads(look, paths) if problem is not None]


def open_image(path: Path) -> Image:
    """
    Raises:
        ValueError: the header announces more pixels than Pillow takes for safe.
    """
    from PIL import Image

    try:
        return Image.open(path)
    except Image.DecompressionBombError as error:
        raise ValueError(str(error)) from error


def _unreadable(path: Path, error: BaseException) -> Problem:
    what = "is empty" if path.is_file() and path.stat().st_size == 0 else f"{type(error).__name__}: {error}"
    return Problem("dataset.root", str(path), f"is not a readable image ({what})")


def _in_threads(function: Callable[[Any], T], items: Iterable[Any]) -> list[T]:
    """`function` of each item; Pillow and the operating system let go of the interpreter while they work."""
    with ThreadPoolExecutor(THREADS) as threads:
        blocks = threads.map(lambda block: [function(item) for item in block], _blocks(list(items)))
        return [result for block in blocks for result in block]


def _blocks(items: list[Any], size: int = 64) -> list[list[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
