"""From names of torchvision's transforms to a function on a batch."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from torch import Tensor
    from torch import nn

Entry = str | Mapping[str, Mapping[str, Any]]
"""A transform's name, or its name with its arguments."""


class Augmentation:
    """Applies transforms to a batch [B, *input_shape].

    torchvision draws a transform's parameters once per call, so a batch given whole would be cropped and flipped all
    alike; each sample is given on its own. What is drawn comes from torch's global random state on the CPU.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        """
        Raises:
            InputError: an unknown transform, or arguments that it does not take.
        """
        self._transforms = [_build("transforms", entry) for entry in entries]

    def __call__(self, inputs: Tensor) -> Tensor:
        import torch

        if not self._transforms:
            return inputs
        return torch.stack([self._one(sample) for sample in inputs])

    def _one(self, sample: Tensor) -> Tensor:
        for transform in self._transforms:
            sample = transform(sample)
        return sample


def transform_problems(key: str, entries: Sequence[Entry], input_shape: tuple[int, ...]) -> Iterable[Problem]:
    """What is wrong with each transform for samples of `input_shape`: its name, its arguments, the shape it gives."""
    import torch

    if len(input_shape) != 3:
        if entries:
            allowed = f"needs images [channels, height, width]; the data set's inputs are {list(input_shape)}"
            yield Problem(key, _name(entries[0]), allowed)
        return
    for index, entry in enumerate(entries):
        try:
            transform = _build(f"{key}[{index}]", entry)
        except InputError as error:
            yield from error.problems
            continue
        try:
            shape = tuple(transform(torch.zeros(input_shape)).shape)
        except Exception as error:
            yield Problem(f"{key}[{index}]", _name(entry), f"fails on {list(input_shape)}: {_first_line(error)}")
            continue
        if shape != input_shape:
            yield Problem(f"{key}[{index}]", _name(entry), f"gives {list(shape)}; must keep {list(input_shape)}")


def _build(key: str, entry: Entry) -> nn.Module:
    from torchvision.transforms import v2

    name = _name(entry)
    kind = getattr(v2, name, None)
    if not (isinstance(kind, type) and issubclass(kind, v2.Transform)) or kind is v2.Transform:
        known = [n for n in dir(v2) if isinstance(getattr(v2, n), type) and issubclass(getattr(v2, n), v2.Transform)]
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError([Problem(key, name, f"must be a transform of torchvision.transforms.v2{hint}")])
    try:
        return kind(**({} if isinstance(entry, str) else entry[name] or {}))
    except (TypeError, ValueError) as error:
        raise InputError([Problem(key, entry, f"{name}: {_first_line(error)}")]) from None


def _name(entry: Entry) -> str:
    return entry if isinstance(entry, str) else next(iter(entry), "")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
