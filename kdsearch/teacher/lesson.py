"""What one student is taught: its samples, and what a teacher says about each."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdsearch.config.schema import AugmentationConfig
from kdsearch.data import Split
from kdsearch.data import Splits
from kdsearch.recipe import TEACHERS_SUBSETS
from kdsearch.recipe import Source
from kdsearch.seeds import derive_seed
from kdsearch.teacher.teacher import Teacher

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from kdsearch.distiller import TrainingSet
    from kdsearch.teacher.online import OnlineTeacher


@dataclass(frozen=True)
class Lesson:
    """`data` holds the teacher's signals, unless `teacher` is in the loop and asked about each batch."""

    data: TrainingSet
    teacher: OnlineTeacher | None = None


def give_lesson(
    splits: Splits,
    teacher: Teacher | None,
    source: Source,
    augmentation: AugmentationConfig,
    *,
    sample_count: int,
    subset_seed: int,
    seed: int,
    device: torch.device,
) -> Lesson:
    """The `sample_count` samples of a student, with what `source` says that it is told about them.

    Args:
        teacher: None where the student learns from labels alone, and draws its samples without a teacher.
        seed: of the sweep; augmentations in a bank and altered teachers derive from it.
        device: where a teacher's answers about augmented samples are computed.
    """
    from kdsearch.distiller import TrainingSet
    from kdsearch.distiller import with_bank
    from kdsearch.teacher.altered import shuffles

    samples = _samples(splits, teacher, source, sample_count, subset_seed)
    data = with_bank(TrainingSet.of(samples, splits.class_count), augmentation, seed)
    if teacher is None or not source.is_taught:
        return Lesson(data)
    if source.signal == "smoothed":
        return Lesson(_with_smoothed_signals(data))
    data = dataclasses.replace(data, weighting=teacher.config.weighting)
    if source.signal == "shuffled":
        orders = shuffles(data.targets, data.class_count, derive_seed(seed, "shuffled teacher"))
        data = dataclasses.replace(data, permutations=orders)
    if augmentation.mode == "online":
        return Lesson(data, _online(teacher, source, seed, device))
    return Lesson(dataclasses.replace(data, signals=_signals(data, samples, teacher, source, seed, device)))


def _samples(splits: Splits, teacher: Teacher | None, source: Source, count: int, subset_seed: int) -> Split:
    how = source.subset or splits.subset
    losses = _losses(splits, teacher) if how in TEACHERS_SUBSETS and teacher is not None else None
    return splits.samples(count, subset_seed, how, losses)


def _losses(splits: Splits, teacher: Teacher) -> NDArray[np.float32]:
    """The teacher's cross-entropy on each sample of the pool."""
    import torch
    import torch.nn.functional as F

    logits = torch.from_numpy(teacher.logits_of(splits.pool.ids))
    losses = F.cross_entropy(logits, torch.from_numpy(splits.pool.targets), reduction="none")
    return losses.numpy()


def _with_smoothed_signals(data: TrainingSet) -> TrainingSet:
    from kdsearch.teacher.altered import smoothed_logits

    signals = smoothed_logits(data.targets, data.class_count)
    if data.views is not None:
        signals = signals.unsqueeze(1).expand(-1, data.views, -1)
    return dataclasses.replace(data, signals=signals)


def _signals(
    data: TrainingSet, samples: Split, teacher: Teacher, source: Source, seed: int, device: torch.device
) -> torch.Tensor:
    """The teacher's answers about the samples, from its cache, or about what the cache does not hold."""
    import torch

    if data.views is None and source.signal != "random_head":
        return torch.from_numpy(teacher.signals.of(samples.ids))
    online = _online(teacher, source, seed, device)
    inputs = data.inputs if data.views is None else data.inputs.flatten(0, 1)
    signals = online.all_signals(inputs)
    return signals if data.views is None else signals.unflatten(0, (len(data), data.views))


def _online(teacher: Teacher, source: Source, seed: int, device: torch.device) -> OnlineTeacher:
    from kdsearch.teacher.altered import with_random_head
    from kdsearch.teacher.online import OnlineTeacher

    if source.signal != "random_head":
        return teacher.online(device)
    head_seed = derive_seed(seed, "random head")
    return OnlineTeacher([with_random_head(network.model, head_seed) for network in teacher.networks], device)
