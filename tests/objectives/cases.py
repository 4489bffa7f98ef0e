"""Logits, and settings of every objective that tests go through."""

from __future__ import annotations

from typing import Any

import torch

from kdsearch.objectives import SPECS

LABELS = torch.tensor([0, 2, 1, 1])

CASES: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in SPECS),
    ("kl", {"temperature": 0.7}),
    ("kl", {"temperature": 20.0}),
    ("kl", {"temperature": 2.0, "standardize": True}),
    ("reverse_kl", {"temperature": 1.0}),
    ("reverse_kl", {"temperature": 3.0, "standardize": True}),
    ("jsd", {"beta": 0.0, "temperature": 2.0}),
    ("jsd", {"beta": 0.1, "temperature": 1.0}),
    ("jsd", {"beta": 0.9, "standardize": True}),
    ("jsd", {"beta": 1.0}),
    ("dkd", {"temperature": 1.0, "target_weight": 0.0, "nontarget_weight": 2.0}),
    ("dkd", {"temperature": 2.0, "target_weight": 3.0, "nontarget_weight": 0.0, "standardize": True}),
    ("nkd", {"gamma": 0.5, "temperature": 3.0}),
    ("nkd", {"gamma": 0.0}),
    ("dist", {"inter_weight": 2.0, "intra_weight": 0.5, "temperature": 4.0}),
    ("rld", {"temperature": 2.0, "target_temperature": 3.0, "target_weight": 0.5, "nontarget_weight": 2.0}),
    ("rld", {"target_weight": 0.0, "standardize": True}),
]


def random_logits(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64, scale: float = 3.0) -> torch.Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)
