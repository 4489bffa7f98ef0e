"""A teacher in the loop: asked about every batch as the student sees it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch import nn

    from kdsearch.features.tap import FeatureTap

CHUNK = 1024
"""Samples per forward pass where many are asked about; bounds memory, not results."""


@dataclass(frozen=True)
class Answer:
    """Of inputs [B, …]: logits [B, C] of a single network, [B, M, C] of several; and a layer's features [B, …]."""

    logits: Tensor
    features: Tensor | None


class OnlineTeacher:
    """Frozen copies of networks, which answer for batches. It is no module, so no student's state can come to hold it.

    With `feature`, the name of a feature objective, it also gives what a layer of its one network gives: `layer`, or
    the objective's default.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        device: torch.device,
        *,
        feature: str | None = None,
        layer: str | None = None,
    ) -> None:
        """
        Raises:
            InputError: features of several networks are asked for.
        """
        from kdsearch.errors import InputError
        from kdsearch.errors import Problem

        if feature is not None and len(networks) > 1:
            allowed = f"needs a teacher of one network; this one has {len(networks)}"
            raise InputError([Problem("feature_objective", feature, allowed)])
        self._networks = [copy.deepcopy(network).to(device).eval().requires_grad_(False) for network in networks]
        self._device = device
        self._feature = feature
        self._layer = layer
        self._tap: FeatureTap | None = None

    @property
    def is_ensemble(self) -> bool:
        return len(self._networks) > 1

    def answer(self, inputs: Tensor) -> Answer:
        """About inputs [B, …] on its device."""
        import torch

        self._open_tap(inputs)
        with torch.no_grad():
            logits = [network(inputs).float() for network in self._networks]
        features = None if self._tap is None else self._tap.take()
        return Answer(logits[0] if len(logits) == 1 else torch.stack(logits, dim=1), features)

    def answer_all(self, inputs: Tensor, chunk: int = CHUNK) -> Answer:
        """About inputs [N, …] on the CPU that may be many; the answer is on the CPU too."""
        import torch

        answers = [self.answer(part.to(self._device)) for part in inputs.split(chunk)]
        features = [answer.features.cpu() for answer in answers if answer.features is not None]
        return Answer(torch.cat([answer.logits.cpu() for answer in answers]), torch.cat(features) if features else None)

    def _open_tap(self, inputs: Tensor) -> None:
        from kdsearch.features.defaults import default_layer
        from kdsearch.features.tap import FeatureTap

        if self._feature is None or self._tap is not None:
            return
        [model] = self._networks
        key = "features.teacher_layer"
        self._tap = FeatureTap(model, self._layer or default_layer(self._feature, model, inputs[:2], key=key), key=key)
