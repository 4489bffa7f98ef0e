"""What makes two teachers the same."""

from __future__ import annotations

import hashlib
import json

from kdsearch.config.schema import TeacherConfig
from kdsearch.data import Split
from kdsearch.data import Splits
from kdsearch.data.subsets import BY_LOSS
from kdsearch.seeds import derive_seed

FORMAT_VERSION = 1
"""Raised when a teacher trained by this version would differ from, or could not be read by, an earlier one."""


def teacher_samples(config: TeacherConfig, splits: Splits, seed: int) -> Split:
    """The samples of the train pool that the teacher learns from: all, or a seeded subset, nested in its size.

    Where students' samples are chosen by its losses, which it cannot have yet, its own are stratified.
    """
    if config.sample_count is None:
        return splits.pool
    how = "stratified" if splits.subset in BY_LOSS else splits.subset
    return splits.samples(config.sample_count, derive_seed(seed, "teacher samples"), how)


def teacher_hash(config: TeacherConfig, splits: Splits, seed: int) -> str:
    """A name for the teacher that this config, data and seed give; where it is trained makes no difference."""
    from kdsearch.distiller import total_steps

    samples = teacher_samples(config, splits, seed)
    identity = {
        "format": FORMAT_VERSION,
        "data": splits.fingerprint,
        "samples": _digest(samples.ids.tobytes()),
        "pool": _digest(splits.pool.ids.tobytes()),
        "validation": _digest(splits.validation.ids.tobytes()),
        "config": config.model_dump(mode="json", exclude={"training": {"device", "evaluations"}}),
        "steps": total_steps(config.training, len(samples)),
        "seed": seed,
    }
    return _digest(json.dumps(identity, sort_keys=True).encode())[:20]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
