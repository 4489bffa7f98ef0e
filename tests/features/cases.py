"""Features, and settings of every feature objective that tests go through."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kdsearch.features import FEATURE_SPECS
from kdsearch.objectives.binding import loss_function

CASES: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in FEATURE_SPECS),
    ("rkd", {"distance_weight": 3.0, "angle_weight": 0.0}),
    ("rkd", {"distance_weight": 0.0, "angle_weight": 2.0}),
    ("cka", {"cosine_kernel": True}),
]


def feature_loss(name: str, student_feature: Tensor, teacher_feature: Tensor, **hyperparameters: Any) -> Tensor:
    return loss_function(FEATURE_SPECS[name].loss)(student_feature, teacher_feature, **hyperparameters)


def random_features(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def feature_pair(name: str, batch: int = 5) -> tuple[Tensor, Tensor]:
    """Features of student and teacher as different in shape as the loss allows."""
    if name == "attention":
        return random_features(batch, 3, 5, 4, seed=1), random_features(batch, 6, 3, 6, seed=2)
    if name == "fitnet":
        return random_features(batch, 2, 3, 4, seed=1), random_features(batch, 2, 3, 4, seed=2)
    return random_features(batch, 2, 2, 2, seed=1), random_features(batch, 6, seed=2)
