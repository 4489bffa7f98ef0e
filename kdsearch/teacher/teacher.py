"""A teacher and what it says about every sample: one network, or several taken together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.config.schema import TeacherConfig
from kdsearch.teacher.signals import SeveralSignals
from kdsearch.teacher.signals import Signals
from kdsearch.teacher.signals import SignalSource
from kdsearch.teacher.signals import StoredSignals

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn


@dataclass(frozen=True)
class Network:
    """One trained network of a teacher; `model` is in eval mode and needs no gradients; nothing trains it further."""

    hash: str
    """Of everything that made it: data, samples seen, config, seed, format."""
    config: TeacherConfig
    model: nn.Module
    signals: Signals | StoredSignals
    """Of train pool and validation split together, by sample id."""
    metrics: Mapping[str, float]
    """On the validation split: `val_accuracy`, `val_balanced_accuracy`, and of it as an estimate of probabilities
    `val_nll`, `val_brier`, `val_ece`; `val_worst_class_gap`."""
    sample_count: int
    """How many samples of the pool it learned from; 0 of weights that were brought along."""
    parameter_count: int
    seconds: float
    """How long its training took."""

    def record(self) -> dict[str, Any]:
        """What is worth knowing about it, as plain values."""
        return _record(self)


@dataclass(frozen=True)
class Teacher:
    """What students learn from."""

    config: TeacherConfig
    networks: tuple[Network, ...]
    metrics: Mapping[str, float]
    """On the validation split, of all networks together: `val_accuracy`, `val_nll`, …"""

    @property
    def hash(self) -> str:
        if len(self.networks) == 1:
            return self.networks[0].hash
        return hashlib.sha256("/".join(network.hash for network in self.networks).encode()).hexdigest()[:20]

    @property
    def model(self) -> nn.Module:
        """
        Raises:
            ValueError: it has several networks.
        """
        if len(self.networks) > 1:
            raise ValueError(f"the teacher {self.config.name} has {len(self.networks)} networks")
        return self.networks[0].model

    @property
    def signals(self) -> SignalSource:
        """Of train pool and validation split: logits [n, C], of several networks [n, M, C]."""
        sources = tuple(network.signals for network in self.networks)
        return sources[0] if len(sources) == 1 else SeveralSignals(sources)

    def logits_of(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """One answer per sample, [n, C]: of several networks the logarithm of their mean probabilities."""
        import torch

        from kdsearch.teacher.ensemble import blend

        logits = self.signals.of(ids)
        return logits if len(self.networks) == 1 else blend(torch.from_numpy(logits)).numpy()

    @property
    def sample_count(self) -> int:
        """How many samples of the pool its networks have seen at most."""
        return max(network.sample_count for network in self.networks)

    @property
    def parameter_count(self) -> int:
        return sum(network.parameter_count for network in self.networks)

    @property
    def seconds(self) -> float:
        return sum(network.seconds for network in self.networks)

    def record(self) -> dict[str, Any]:
        """What is worth knowing about it, as plain values; of several networks also about each, under `networks`."""
        record = _record(self)
        if len(self.networks) > 1:
            record["networks"] = [network.record() for network in self.networks]
        return record


def _record(of: Network | Teacher) -> dict[str, Any]:
    return {
        "hash": of.hash,
        "name": of.config.name,
        "sample_count": of.sample_count,
        "parameter_count": of.parameter_count,
        "seconds": of.seconds,
        **of.metrics,
    }
