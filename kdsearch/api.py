"""kdsearch from Python: data, teacher and one student in five lines.

    data = kdsearch.load_dataset("digits")
    teacher = kdsearch.train_teacher(data)
    labels = kdsearch.distill(data, sample_count=50)
    student = kdsearch.distill(data, teacher, sample_count=50, temperature=4)
    print(student.metrics["val_accuracy"] - labels.metrics["val_accuracy"])

What is not given takes the default that `kdsearch sweep dataset=NAME` would use.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.data import DATASETS
from kdsearch.data import Arrays
from kdsearch.data import Splits
from kdsearch.data import load_splits
from kdsearch.data import split
from kdsearch.recipe import FeatureRecipe
from kdsearch.recipe import Recipe
from kdsearch.recipe import Signal
from kdsearch.seeds import derive_seed

if TYPE_CHECKING:
    from kdsearch.config.schema import ModelConfig
    from kdsearch.config.schema import Subset
    from kdsearch.config.schema import SweepConfig
    from kdsearch.config.schema import TeacherConfig
    from kdsearch.config.schema import TrainingConfig
    from kdsearch.distiller import DistillResult
    from kdsearch.teacher import LessonPlan
    from kdsearch.teacher import Teacher


def load_dataset(
    data: str | Arrays = "digits",
    *,
    root: str | None = None,
    validation_count: int | None = None,
    subset: Subset = "stratified",
    seed: int = 0,
    **arguments: Any,
) -> Splits:
    """A built-in data set by name, or your own arrays, split into train pool, validation and test.

    `arguments` are the data set's own, as under `dataset.arguments`: `train`, `target`, … of a table.

    Raises:
        InputError: unknown name or argument, missing files, or too large a validation split.
    """
    if isinstance(data, Arrays):
        count = len(data.train_targets) // 5 if validation_count is None else validation_count
        return split(data, count, seed, subset)
    config = _defaults(data).dataset if data in DATASETS else _defaults().dataset.model_copy(update={"name": data})
    changes: dict[str, Any] = {"root": root, "subset": subset, "arguments": {**config.arguments, **arguments}}
    if validation_count is not None:
        changes["validation_count"] = validation_count
    return load_splits(config.model_copy(update=changes), seed)


def train_teacher(
    data: Splits, config: TeacherConfig | None = None, *, seed: int = 0, storage: str | None = None
) -> Teacher:
    """Train a teacher on the train pool; with `storage` (a folder or `s3://…`) it is kept there and reused."""
    from kdsearch import teacher
    from kdsearch.storage import open_storage

    config = config or _defaults(data.name).teacher
    if storage is None:
        return teacher.train_teacher(config, data, seed)
    return teacher.ensure_teacher(config, data, seed, open_storage(storage))


def distill(
    data: Splits,
    teacher: Teacher | None = None,
    *,
    sample_count: int,
    objective: str = "kl",
    alpha: float = 1.0,
    label_smoothing: float = 0.0,
    student: ModelConfig | None = None,
    training: TrainingConfig | None = None,
    seed: int = 0,
    subset_seed: int | None = None,
    subset: Subset | None = None,
    signal: Signal = "teacher",
    feature_objective: str | None = None,
    feature_weight: float | None = None,
    device: str = "cpu",
    **hyperparameters: float,
) -> DistillResult:
    """Train one student on `sample_count` samples of the train pool and score it on the validation split.

    loss = (1 - alpha) * CE(labels) + alpha * soft(objective): alpha weighs the teacher, 1 is the teacher alone.
    Without a teacher it learns from labels alone: objective, alpha and `hyperparameters` (`temperature`, …) do not
    apply.

    Args:
        subset: how the samples are drawn: stratified, uniform, balanced, easy or hard; None is that of `data`.
        signal: what the student is told: `teacher`, or what a control puts in its place: smoothed, shuffled or
            random_head (see `kdsearch.teacher.altered`).
        feature_objective: is added to the loss, `feature_weight` times: fitnet, attention, similarity, rkd or cka.

    Raises:
        InputError: unknown objective, or hyperparameters that are not allowed.
        NonFiniteLossError: the loss became infinite or not a number.
    """
    recipe = Recipe("labels", 0.0, label_smoothing=label_smoothing, subset=subset)
    if teacher is not None:
        feature = _feature(feature_objective, feature_weight)
        recipe = Recipe(
            objective, alpha, hyperparameters, label_smoothing, signal=signal, subset=subset, feature=feature
        )
    return train_student(
        data,
        teacher,
        recipe,
        sample_count=sample_count,
        student=student,
        training=training,
        seed=seed,
        subset_seed=subset_seed,
        device=device,
    )


def _feature(objective: str | None, weight: float | None) -> FeatureRecipe | None:
    from kdsearch.features.spec import feature_spec

    if objective is None:
        return None
    spec = feature_spec(objective)
    return FeatureRecipe(objective, spec.default_weight if weight is None else weight)


def train_student(
    data: Splits,
    teacher: Teacher | None,
    recipe: Recipe,
    *,
    sample_count: int,
    student: ModelConfig | None = None,
    training: TrainingConfig | None = None,
    seed: int = 0,
    subset_seed: int | None = None,
    device: str = "cpu",
    plan: LessonPlan | None = None,
    layer: str | None = None,
) -> DistillResult:
    """As `distill`, by a whole recipe; `plan` and `layer` are what a sweep's configuration gives besides."""
    import torch

    from kdsearch import distiller
    from kdsearch.teacher import LessonPlan
    from kdsearch.teacher import give_lesson

    defaults = _defaults(data.name)
    student = student or defaults.student
    training = training or defaults.training
    plan = plan or LessonPlan(seed, training.augmentation)
    lesson = give_lesson(
        plan,
        data,
        teacher,
        recipe.source,
        sample_count=sample_count,
        subset_seed=derive_seed(seed, "subset") if subset_seed is None else subset_seed,
        device=torch.device(device),
    )
    teacher_logits = None if teacher is None else teacher.logits_of(data.validation.ids)
    with distiller.suited_threads(student):
        return distiller.distill(
            student,
            recipe,
            training,
            lesson.data,
            distiller.EvaluationSet.of(data.validation, teacher_logits),
            seed=seed,
            device=device,
            teacher=lesson.teacher,
            layer=layer,
        )


@functools.cache
def _defaults(dataset: str = "digits") -> SweepConfig:
    from kdsearch.config.compose import compose_sweep

    name = dataset if dataset in DATASETS else "digits"
    return compose_sweep([f"dataset={name}"], outside_world=False).config
