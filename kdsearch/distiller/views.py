"""Augmented views of a training set."""

from __future__ import annotations

import dataclasses

from kdsearch.augmentation import Augmentation
from kdsearch.augmentation import make_bank
from kdsearch.config.schema import AugmentationConfig
from kdsearch.distiller.sets import TrainingSet


def with_bank(data: TrainingSet, config: AugmentationConfig, seed: int) -> TrainingSet:
    """The set with a bank of `config.views` augmentations in place of each sample, where the mode asks for it.

    Signals and features of the samples themselves are left out: they are not the bank's.
    """
    if config.mode != "bank":
        return data
    inputs = make_bank(data.inputs, data.ids, config.views, Augmentation(config.transforms), seed)
    return dataclasses.replace(data, inputs=inputs, signals=None, features=None, views=config.views)
