"""What one student is taught: its samples, and what a teacher says about each."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kdsearch.config.schema import AugmentationConfig
from kdsearch.config.schema import SweepConfig
from kdsearch.data import Split
from kdsearch.data import Splits
from kdsearch.data.subsets import BY_LOSS
from kdsearch.recipe import Source
from kdsearch.seeds import derive_seed
from kdsearch.teacher.online import OnlineTeacher
from kdsearch.teacher.teacher import Teacher

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from kdsearch.distiller import TrainingSet


@dataclass(frozen=True)
class LessonPlan:
    """What all students of a sweep have in common."""

    seed: int
    """Augmentations in a bank, altered teachers and the unlabelled samples derive from it."""
    augmentation: AugmentationConfig = AugmentationConfig()
    teacher_layer: str | None = None
    """For feature objectives; None takes the objective's default layer."""
    unlabelled_count: int = 0

    @classmethod
    def of(cls, config: SweepConfig) -> LessonPlan:
        return cls(
            config.seed,
            config.training.augmentation,
            config.features.teacher_layer,
            config.dataset.unlabelled_count,
        )


@dataclass(frozen=True)
class Lesson:
    """`data` holds what the teacher says, unless `teacher` is in the loop and asked about each batch."""

    data: TrainingSet
    teacher: OnlineTeacher | None = None


def give_lesson(
    plan: LessonPlan,
    splits: Splits,
    teacher: Teacher | None,
    source: Source,
    *,
    sample_count: int,
    subset_seed: int,
    device: torch.device,
) -> Lesson:
    """The `sample_count` samples of a student, with what `source` says that it is told about them.

    Args:
        teacher: None where the student learns from labels alone, and its samples are drawn without a teacher.
        device: where a teacher's answers that are not in its cache are computed.
    """
    from kdsearch.distiller import TrainingSet
    from kdsearch.distiller import with_bank

    samples = _samples(splits, teacher, source, sample_count, subset_seed)
    if source.is_taught and source.signal != "smoothed":
        samples = _with_unlabelled(samples, splits, plan.unlabelled_count, derive_seed(plan.seed, "unlabelled"))
    data = TrainingSet.of(samples, splits.class_count, vocabulary_size=splits.vocabulary_size)
    data = with_bank(data, plan.augmentation, plan.seed)
    if teacher is None or not (source.is_taught or source.feature):
        return Lesson(data)
    if source.signal == "smoothed":
        return Lesson(_with_smoothed_signals(data))
    data = dataclasses.replace(data, weighting=teacher.config.weighting)
    if source.signal == "shuffled":
        data = _with_shuffles(data, samples, teacher, derive_seed(plan.seed, "shuffled teacher"))
    if plan.augmentation.mode == "online":
        return Lesson(data, _online(plan, teacher, source, device))
    return Lesson(_with_answers(data, samples, plan, teacher, source, device))


def _samples(splits: Splits, teacher: Teacher | None, source: Source, count: int, subset_seed: int) -> Split:
    how = source.subset or splits.subset
    losses = _losses(splits, teacher) if how in BY_LOSS and teacher is not None else None
    return splits.samples(count, subset_seed, how, losses)


def _losses(splits: Splits, teacher: Teacher) -> NDArray[np.float32]:
    """The teacher's cross-entropy on each sample of the pool."""
    import torch
    import torch.nn.functional as F

    logits = torch.from_numpy(teacher.logits_of(splits.pool.ids))
    losses = F.cross_entropy(logits, torch.from_numpy(splits.pool.targets), reduction="none")
    return losses.numpy()


def _with_unlabelled(samples: Split, splits: Splits, count: int, seed: int) -> Split:
    """`samples` and `count` others of the pool, nested in their number, with their labels taken away."""
    from kdsearch.distiller.sets import UNLABELLED

    if count == 0:
        return samples
    order = np.random.default_rng(seed).permutation(len(splits.pool))
    others = order[~np.isin(splits.pool.ids[order], samples.ids)][:count]
    more = splits.pool.take(others)
    return Split(
        np.concatenate([samples.ids, more.ids]),
        np.concatenate([np.asarray(samples.inputs), np.asarray(more.inputs)]),
        np.concatenate([samples.targets, np.full(len(more), UNLABELLED)]),
    )


def _with_smoothed_signals(data: TrainingSet) -> TrainingSet:
    from kdsearch.teacher.altered import smoothed_logits

    signals = smoothed_logits(data.targets, data.class_count)
    if data.views is not None:
        signals = signals.unsqueeze(1).expand(-1, data.views, -1)
    return dataclasses.replace(data, signals=signals)


def _with_shuffles(data: TrainingSet, samples: Split, teacher: Teacher, seed: int) -> TrainingSet:
    """The class that keeps its place is the label, of an unlabelled sample the teacher's answer."""
    import torch

    from kdsearch.teacher.altered import shuffles

    answers = torch.from_numpy(teacher.logits_of(samples.ids)).argmax(dim=1)
    kept = torch.where(data.targets < 0, answers, data.targets)
    return dataclasses.replace(data, permutations=shuffles(kept, data.class_count, seed))


def _with_answers(
    data: TrainingSet, samples: Split, plan: LessonPlan, teacher: Teacher, source: Source, device: torch.device
) -> TrainingSet:
    """The set with the teacher's answers, from its cache, or about what the cache does not hold."""
    import torch

    cached = data.views is None and source.signal != "random_head"
    if cached and source.feature is None:
        return dataclasses.replace(data, signals=torch.from_numpy(teacher.signals.of(samples.ids)))
    inputs = data.inputs if data.views is None else data.inputs.flatten(0, 1)
    answer = _online(plan, teacher, source, device).answer_all(inputs)
    signals = torch.from_numpy(teacher.signals.of(samples.ids)) if cached else _by_view(answer.logits, data)
    features = None if answer.features is None else _by_view(answer.features, data)
    return dataclasses.replace(data, signals=signals, features=features)


def _by_view(values: Tensor, data: TrainingSet) -> Tensor:
    return values if data.views is None else values.unflatten(0, (len(data), data.views))


def _online(plan: LessonPlan, teacher: Teacher, source: Source, device: torch.device) -> OnlineTeacher:
    from kdsearch.teacher.altered import with_random_head

    models = [network.model for network in teacher.networks]
    if source.signal == "random_head":
        head_seed = derive_seed(plan.seed, "random head")
        models = [with_random_head(model, head_seed) for model in models]
    return OnlineTeacher(models, device, feature=source.feature, layer=plan.teacher_layer)
