"""What a student is trained and scored on, as tensors on its device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kdsearch.data import Split


@dataclass(frozen=True)
class TrainingSet:
    """The n labelled samples of one student, with what the teacher says about each."""

    ids: Tensor
    """Each sample's index in its data set, int64 [n]."""
    inputs: Tensor
    """[n, *input_shape]."""
    targets: Tensor
    """Class indices, int64 [n]."""
    class_count: int
    signals: Tensor | None = None
    """The teacher's logits for the same samples in the same order, float32 [n, class_count]; None without a teacher."""

    def __post_init__(self) -> None:
        _check_lengths(ids=self.ids, inputs=self.inputs, targets=self.targets, signals=self.signals)

    @classmethod
    def of(cls, samples: Split, class_count: int, signals: NDArray[np.float32] | None = None) -> TrainingSet:
        """The set of `samples`; `signals` in their order."""
        return cls(
            ids=torch.from_numpy(samples.ids),
            inputs=torch.from_numpy(np.asarray(samples.inputs)),
            targets=torch.from_numpy(samples.targets),
            class_count=class_count,
            signals=None if signals is None else torch.from_numpy(signals),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self.inputs.shape[1:])

    def to(self, device: torch.device) -> TrainingSet:
        signals = None if self.signals is None else self.signals.to(device)
        return TrainingSet(
            self.ids.to(device), self.inputs.to(device), self.targets.to(device), self.class_count, signals
        )


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


def _check_lengths(**tensors: Tensor | None) -> None:
    lengths = {name: len(tensor) for name, tensor in tensors.items() if tensor is not None}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"one entry per sample is needed everywhere, got {lengths}")
    if 0 in lengths.values():
        raise ValueError("a set needs at least one sample")
