"""Augmentation: random changes of inputs, by torchvision.transforms.v2, drawn for each sample on its own."""

from __future__ import annotations

from kdsearch.augmentation.bank import make_bank
from kdsearch.augmentation.transforms import Augmentation
from kdsearch.augmentation.transforms import transform_problems

__all__ = ["Augmentation", "make_bank", "transform_problems"]
