"""A whole data set as arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeAlias

import numpy as np

from kdsearch.data.facts import Facts
from kdsearch.data.image_files import ImageFiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

Inputs: TypeAlias = "NDArray[Any] | ImageFiles"
"""Samples [N, *input_shape]: numbers (float32), token ids (int64), or images that are still on disk."""


@dataclass(frozen=True)
class Arrays:
    """What a loader returns: the samples to learn from and the data set's own test samples.

    Inputs are float32 [N, *input_shape] on a sensible scale, or `ImageFiles`, which are read when needed. With a
    `vocabulary_size` they are token ids int64 [N, L], 0 being padding. Targets are int64 [N] with values
    0 … class_count - 1. Other numeric types are converted.
    """

    train_inputs: Inputs
    train_targets: NDArray[np.int64]
    test_inputs: Inputs
    test_targets: NDArray[np.int64]
    class_count: int
    vocabulary_size: int | None = None
    class_names: tuple[str, ...] | None = None
    preprocessing: Mapping[str, Any] | None = None
    """How inputs are made from raw samples, as plain values (see `kdsearch.data.preprocessing`); None where nobody
    said. Not part of the fingerprint."""

    def __post_init__(self) -> None:
        """
        Raises:
            ValueError: what is wrong with the arrays, all of it.
        """
        problems = [*self._convert("train"), *self._convert("test")]
        if not problems:
            problems = [problem for part in ("train", "test") for problem in self._problems(part)]
        if self.train_inputs.shape[1:] != self.test_inputs.shape[1:]:
            shapes = [list(inputs.shape[1:]) for inputs in (self.train_inputs, self.test_inputs)]
            problems.append(f"train inputs have shape {shapes[0]} and test inputs {shapes[1]}")
        if self.class_count < 2:
            problems.append(f"class_count is {self.class_count}, at least 2 are needed")
        if self.class_names is not None and len(self.class_names) != self.class_count:
            problems.append(f"there are {len(self.class_names)} class names for {self.class_count} classes")
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self.train_inputs.shape[1:])

    def facts(self) -> Facts:
        counts = tuple(np.bincount(self.train_targets, minlength=self.class_count).tolist())
        return Facts(counts, len(self.test_targets), self.input_shape, self.vocabulary_size, self.class_names)

    def fingerprint(self) -> str:
        """SHA-256 of the content: the same samples in the same order give the same one, wherever they come from.

        Of images that are still on disk it is that of `ImageFiles.fingerprint`: relative paths and sizes.
        """
        digest = hashlib.sha256(str(self.class_count).encode())
        for array in (self.train_inputs, self.train_targets, self.test_inputs, self.test_targets):
            if isinstance(array, ImageFiles):
                digest.update(array.fingerprint().encode())
                continue
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def _convert(self, part: str) -> list[str]:
        """Bring inputs and targets to their types; what is lost by that."""
        inputs = getattr(self, f"{part}_inputs")
        problems = []
        if not isinstance(inputs, ImageFiles):
            inputs = np.asarray(inputs)
            if self.vocabulary_size is not None and not np.issubdtype(inputs.dtype, np.integer):
                problems.append(f"{part} inputs must be integers, being token ids; they are {inputs.dtype}")
            dtype: Any = np.float32 if self.vocabulary_size is None else np.int64
            object.__setattr__(self, f"{part}_inputs", np.asarray(inputs, dtype=dtype))
        object.__setattr__(self, f"{part}_targets", np.asarray(getattr(self, f"{part}_targets"), dtype=np.int64))
        return problems

    def _problems(self, part: str) -> list[str]:
        inputs, targets = getattr(self, f"{part}_inputs"), getattr(self, f"{part}_targets")
        if inputs.ndim < 2 or targets.ndim != 1 or len(inputs) != len(targets) or len(inputs) == 0:
            shapes = f"{list(inputs.shape)} and {list(targets.shape)}"
            return [f"{part} inputs must be [N, …] and {part} targets [N] with N > 0, got {shapes}"]
        problems = []
        if self.vocabulary_size is not None:
            problems += self._token_problems(part, inputs)
        elif isinstance(inputs, np.ndarray) and not np.isfinite(inputs).all():
            problems.append(f"{part} inputs hold values that are not finite")
        if targets.min() < 0 or targets.max() >= self.class_count:
            problems.append(
                f"{part} targets must lie in 0 … {self.class_count - 1}, found {targets.min()} … {targets.max()}"
            )
        return problems

    def _token_problems(self, part: str, inputs: NDArray[np.int64]) -> list[str]:
        if inputs.ndim != 2:
            return [f"{part} inputs must be token ids [N, L], got {list(inputs.shape)}"]
        if inputs.min() < 0 or inputs.max() >= (self.vocabulary_size or 0):
            found = f"found {inputs.min()} … {inputs.max()}"
            return [f"{part} inputs must be token ids in 0 … {(self.vocabulary_size or 0) - 1}, {found}"]
        return []
