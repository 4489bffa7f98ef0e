"""What a student is trained and scored on, as tensors on its device."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kdsearch.data import Split

UNLABELLED = -1
"""The target of a sample whose label the student must not see: only the teacher says something about it."""

RESIDENT_SHARE = 0.5
"""A set is kept on an accelerator where it takes up at most this share of the memory that is free there."""


@dataclass(frozen=True)
class TrainingSet:
    """The n samples of one student, with what the teacher says about each."""

    ids: Tensor
    """Each sample's index in its data set, int64 [n]."""
    inputs: Tensor
    """[n, *input_shape]; of a bank of augmentations [n, views, *input_shape]."""
    targets: Tensor
    """Class indices, int64 [n]; UNLABELLED where only the teacher says what the sample is."""
    class_count: int
    signals: Tensor | None = None
    """The teacher's logits for the same samples in the same order, float32 [n, C]; of a bank [n, views, C]; of an
    ensemble one axis more, [n, (views,) members, C]. None without a teacher, or with one that is in the loop."""
    views: int | None = None
    """How many augmentations of each sample `inputs` and `signals` hold; None where they hold the sample itself."""
    weighting: Literal["equal", "unikd"] = "equal"
    """How the members of an ensemble, and samples under it, are weighed; see `kdsearch.teacher.ensemble`."""
    features: Tensor | None = None
    """What a layer of the teacher gives for the samples, [n, (views,) …]; None where no feature objective needs it."""
    permutations: Tensor | None = None
    """For each sample an order of the classes, int64 [n, C], in which the teacher's logits are given to the student."""
    vocabulary_size: int | None = None
    """How many tokens there are, where inputs are token ids."""

    def __post_init__(self) -> None:
        _check_lengths(
            ids=self.ids,
            inputs=self.inputs,
            targets=self.targets,
            signals=self.signals,
            features=self.features,
            permutations=self.permutations,
        )

    @classmethod
    def of(
        cls,
        samples: Split,
        class_count: int,
        signals: NDArray[np.float32] | None = None,
        *,
        vocabulary_size: int | None = None,
    ) -> TrainingSet:
        """The set of `samples`; `signals` in their order."""
        return cls(
            ids=torch.from_numpy(samples.ids),
            inputs=torch.from_numpy(np.asarray(samples.inputs)),
            targets=torch.from_numpy(samples.targets),
            class_count=class_count,
            signals=None if signals is None else torch.from_numpy(signals),
            vocabulary_size=vocabulary_size,
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self.inputs.shape[1 if self.views is None else 2 :])

    @property
    def plain_inputs(self) -> Tensor:
        """One input per sample, [n, *input_shape]; of a bank the first view."""
        return self.inputs if self.views is None else self.inputs[:, 0]

    @property
    def signal_targets(self) -> Tensor:
        """The class indices, one for each of the teacher's answers: [n], of a bank [n, views]."""
        return self.targets if self.views is None else self.targets.unsqueeze(1).expand(-1, self.views)

    @property
    def has_members(self) -> bool:
        """Whether the signals are those of an ensemble's members, one by one."""
        own_axes = 2 if self.views is None else 3
        return self.signals is not None and self.signals.ndim > own_axes

    @property
    def labelled_count(self) -> int:
        return int((self.targets != UNLABELLED).sum())

    def to(self, device: torch.device) -> TrainingSet:
        """On `device` where it fits there; else in pinned memory, from where batches are copied one by one."""
        tensors = [value for value in vars(self).values() if isinstance(value, Tensor)]
        if _fits(device, sum(tensor.nbytes for tensor in tensors)):
            return self._with_each(lambda tensor: tensor.to(device))
        return self._with_each(Tensor.pin_memory)

    def _with_each(self, change: Callable[[Tensor], Tensor]) -> TrainingSet:
        changed: dict[str, Any] = {k: change(v) for k, v in vars(self).items() if isinstance(v, Tensor)}
        return dataclasses.replace(self, **changed)


@dataclass(frozen=True)
class EvaluationSet:
    """Samples that are only scored: inputs [n, *input_shape], class indices [n], teacher's logits [n, C] or None."""

    inputs: Tensor
    targets: Tensor
    teacher_logits: Tensor | None = None

    def __post_init__(self) -> None:
        _check_lengths(inputs=self.inputs, targets=self.targets, teacher_logits=self.teacher_logits)

    @classmethod
    def of(cls, samples: Split, teacher_logits: NDArray[np.float32] | None = None) -> EvaluationSet:
        """The set of `samples`; `teacher_logits` in their order."""
        return cls(
            inputs=torch.from_numpy(np.asarray(samples.inputs)),
            targets=torch.from_numpy(samples.targets),
            teacher_logits=None if teacher_logits is None else torch.from_numpy(teacher_logits),
        )

    def __len__(self) -> int:
        return len(self.inputs)

    def to(self, device: torch.device) -> EvaluationSet:
        teacher_logits = None if self.teacher_logits is None else self.teacher_logits.to(device)
        return EvaluationSet(self.inputs.to(device), self.targets.to(device), teacher_logits)


def _fits(device: torch.device, size: int) -> bool:
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return size <= RESIDENT_SHARE * free


def _check_lengths(**tensors: Tensor | None) -> None:
    lengths = {name: len(tensor) for name, tensor in tensors.items() if tensor is not None}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"one entry per sample is needed everywhere, got {lengths}")
    if 0 in lengths.values():
        raise ValueError("a set needs at least one sample")
