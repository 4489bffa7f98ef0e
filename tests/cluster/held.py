"""Students that take as long as a test wants."""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch
from torch import nn

from tests.cluster.students import noted

FOLDER = "KDSEARCH_TEST_HOSTS"
"""The variable that names a folder, in which every host that trains leaves a file of its name."""
HOLD = ".hold"
"""While a file of this name is in the folder, `held` ones are slow."""
HELD_SECONDS = 0.2


class Hold:
    """While it is entered, sweeps of `held` students hardly advance, so that a test can wait for what is to happen."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder

    def __enter__(self) -> None:
        (self._folder / HOLD).touch()

    def __exit__(self, *error: object) -> None:
        (self._folder / HOLD).unlink()

    @property
    def environment(self) -> dict[str, str]:
        """What the processes that make students have to see."""
        return {FOLDER: str(self._folder)}

    @property
    def hosts(self) -> set[str]:
        """Where students were made."""
        return {file.name for file in self._folder.iterdir()} - {HOLD}


def held(input_shape: tuple[int, ...], class_count: int) -> nn.Module:
    return nn.Sequential(noted(input_shape, class_count), _Held())


class _Held(nn.Module):
    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        if self.training and (Path(os.environ[FOLDER]) / HOLD).exists():
            time.sleep(HELD_SECONDS)
        return logits
