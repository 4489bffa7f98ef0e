"""A whole data set as arrays."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Arrays:
    """What a loader returns: the samples to learn from and the data set's own test samples.

    Inputs are float32 [N, *input_shape] on a sensible scale, targets int64 [N] with values 0 … class_count - 1.
    Other numeric types are converted.
    """

    train_inputs: NDArray[np.float32]
    train_targets: NDArray[np.int64]
    test_inputs: NDArray[np.float32]
    test_targets: NDArray[np.int64]
    class_count: int

    def __post_init__(self) -> None:
        """
        Raises:
            ValueError: what is wrong with the arrays, all of it.
        """
        for part in ("train", "test"):
            object.__setattr__(self, f"{part}_inputs", np.asarray(getattr(self, f"{part}_inputs"), dtype=np.float32))
            object.__setattr__(self, f"{part}_targets", np.asarray(getattr(self, f"{part}_targets"), dtype=np.int64))
        problems = [problem for part in ("train", "test") for problem in self._problems(part)]
        if self.train_inputs.shape[1:] != self.test_inputs.shape[1:]:
            shapes = [list(inputs.shape[1:]) for inputs in (self.train_inputs, self.test_inputs)]
            problems.append(f"train inputs have shape {shapes[0]} and test inputs {shapes[1]}")
        if self.class_count < 2:
            problems.append(f"class_count is {self.class_count}, at least 2 are needed")
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self.train_inputs.shape[1:])

    def fingerprint(self) -> str:
        """SHA-256 of the content: the same samples in the same order give the same one, wherever they come from."""
        digest = hashlib.sha256(str(self.class_count).encode())
        for array in (self.train_inputs, self.train_targets, self.test_inputs, self.test_targets):
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def _problems(self, part: str) -> list[str]:
        inputs, targets = getattr(self, f"{part}_inputs"), getattr(self, f"{part}_targets")
        if inputs.ndim < 2 or targets.ndim != 1 or len(inputs) != len(targets) or len(inputs) == 0:
            shapes = f"{list(inputs.shape)} and {list(targets.shape)}"
            return [f"{part} inputs must be [N, …] and {part} targets [N] with N > 0, got {shapes}"]
        problems = []
        if not np.isfinite(inputs).all():
            problems.append(f"{part} inputs hold values that are not finite")
        if targets.min() < 0 or targets.max() >= self.class_count:
            problems.append(
                f"{part} targets must lie in 0 … {self.class_count - 1}, found {targets.min()} … {targets.max()}"
            )
        return problems
