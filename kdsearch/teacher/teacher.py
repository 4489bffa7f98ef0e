"""A trained teacher and what it says about every sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.config.schema import TeacherConfig
from kdsearch.teacher.signals import Signals

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Teacher:
    """`model` is in eval mode and needs no gradients; nothing trains it further."""

    hash: str
    """Of everything that made it: data, samples seen, config, seed, format."""
    config: TeacherConfig
    model: nn.Module
    signals: Signals
    """Of train pool and validation split together, by sample id."""
    metrics: Mapping[str, float]
    """On the validation split: `val_accuracy`, `val_nll`, `val_balanced_accuracy`, `val_ece`, `val_worst_class_gap`."""
    sample_count: int
    """How many samples of the pool it learned from."""
    parameter_count: int
    seconds: float
    """How long its training took."""

    def record(self) -> dict[str, Any]:
        """What is worth knowing about it, as plain values."""
        return {
            "hash": self.hash,
            "name": self.config.name,
            "sample_count": self.sample_count,
            "parameter_count": self.parameter_count,
            "seconds": self.seconds,
            **self.metrics,
        }
