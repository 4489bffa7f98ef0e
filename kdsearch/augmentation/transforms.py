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

TRIES = 16
"""How often a transform is tried before a sweep: what it draws decides the shape it gives, or whether it fails."""


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
            shapes = _shapes(transform, input_shape)
        except Exception as error:
            yield Problem(f"{key}[{index}]", _name(entry), f"fails on {list(input_shape)}: {_first_line(error)}")
            continue
        changed = next((shape for shape in shapes if shape != input_shape), None)
        if changed is not None:
            yield Problem(f"{key}[{index}]", _name(entry), f"gives {list(changed)}; must keep {list(input_shape)}")


def _shapes(transform: nn.Module, input_shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """What it gives in several draws, in all of which it is applied if it is one that often is not."""
    import torch

    if hasattr(transform, "p"):
        vars(transform)["p"] = 1.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return [tuple(transform(torch.zeros(input_shape)).shape) for _ in range(TRIES)]


def _build(key: str, entry: Entry) -> nn.Module:
    from torchvision.transforms import v2

    if not isinstance(entry, str) and len(entry) != 1:
        raise InputError([Problem(key, entry, "must be one transform's name with its arguments")])
    name = _name(entry)
    kinds = {n: kind for n, kind in vars(v2).items() if isinstance(kind, type) and issubclass(kind, v2.Transform)}
    del kinds["Transform"]
    if name not in kinds:
        close = difflib.get_close_matches(name, kinds, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError([Problem(key, name, f"must be a transform of torchvision.transforms.v2{hint}")])
    try:
        return kinds[name](**({} if isinstance(entry, str) else entry[name] or {}))
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError([Problem(key, entry, f"{name}: {_first_line(error)}")]) from None


def _name(entry: Entry) -> str:
    return entry if isinstance(entry, str) else next(iter(entry), "")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
