"""Digits whose test images leave a trace when they are read."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from kdsearch.data import Arrays
from kdsearch.data import ImageFiles
from kdsearch.data import ImageFormat
from kdsearch.data import digits

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TracedImages(ImageFiles):
    """As images on disk, which are read when they are needed: each reading is a line in `trace`."""

    images: Any = None
    trace: str = ""

    def fingerprint(self) -> str:
        return "traced"

    def _decoded(self, paths: NDArray[Any]) -> NDArray[np.float32]:
        with Path(self.trace).open("a") as file:
            file.write(json.dumps({"time": time.time(), "process": os.getpid(), "count": len(paths)}) + "\n")
        images: NDArray[np.float32] = self.images[paths]
        return images


def load(trace: str) -> Arrays:
    arrays = digits.load()
    assert isinstance(arrays.test_inputs, np.ndarray)
    places = np.arange(len(arrays.test_inputs))
    one_channel = ImageFormat(8, (0.0,), (1.0,))
    return dataclasses.replace(
        arrays, test_inputs=TracedImages(Path("/"), places, one_channel, arrays.test_inputs, trace)
    )
