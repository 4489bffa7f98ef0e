"""What makes two teachers the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from kdsearch.config.locations import PRETRAINED
from kdsearch.config.schema import TeacherConfig
from kdsearch.data import Split
from kdsearch.data import Splits
from kdsearch.data.subsets import BY_LOSS
from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.seeds import derive_seed

FORMAT_VERSION = 2
"""Raised when a teacher trained by this version would differ from, or could not be read by, an earlier one."""

_MAKES_NO_DIFFERENCE = {"device", "evaluations", "compile", "channels_last", "deterministic"}
"""Keys of training that say where and how something is computed, not what."""


def teacher_samples(config: TeacherConfig, splits: Splits, seed: int) -> Split:
    """The samples of the train pool that the teacher learns from: all, or a seeded subset, nested in its size.

    Where students' samples are chosen by its losses, which it cannot have yet, its own are stratified.
    """
    if config.sample_count is None:
        return splits.pool
    how = "stratified" if splits.subset in BY_LOSS else splits.subset
    return splits.samples(config.sample_count, derive_seed(seed, "teacher samples"), how)


def network_seed(seed: int, index: int) -> int:
    """The seed of the network number `index` of its kind."""
    return seed if index == 0 else derive_seed(seed, "network", index)


def network_hash(config: TeacherConfig, splits: Splits, seed: int) -> str:
    """A name for the network that this config, data and seed give; where it is trained makes no difference.

    Raises:
        InputError: `weights` names a file that cannot be read.
    """
    identity = {
        "format": FORMAT_VERSION,
        "data": splits.fingerprint,
        "pool": _digest(splits.pool.ids.tobytes()),
        "validation": _digest(splits.validation.ids.tobytes()),
        "model": config.model.model_dump(mode="json"),
        **(_origin(config, splits, seed) if config.weights is None else _weights(config.weights)),
    }
    return _digest(json.dumps(identity, sort_keys=True).encode())[:20]


def _origin(config: TeacherConfig, splits: Splits, seed: int) -> dict[str, Any]:
    from kdsearch.distiller import total_steps

    samples = teacher_samples(config, splits, seed)
    return {
        "samples": _digest(samples.ids.tobytes()),
        "training": config.training.model_dump(mode="json", exclude=_MAKES_NO_DIFFERENCE),
        "steps": total_steps(config.training, len(samples)),
        "seed": seed,
    }


def _weights(weights: str) -> dict[str, str]:
    from kdsearch.models.weights import content_hash

    if weights == PRETRAINED:
        return {"weights": weights}
    try:
        return {"weights": content_hash(weights)}
    except OSError as error:
        raise InputError([Problem("weights", weights, f"cannot be read ({error.strerror or error})")]) from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
