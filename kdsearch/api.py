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
from typing import Literal

from kdsearch.data import DATASETS
from kdsearch.data import Arrays
from kdsearch.data import Splits
from kdsearch.data import load_splits
from kdsearch.data import split
from kdsearch.recipe import Recipe
from kdsearch.seeds import derive_seed

if TYPE_CHECKING:
    from kdsearch.config.schema import ModelConfig
    from kdsearch.config.schema import SweepConfig
    from kdsearch.config.schema import TeacherConfig
    from kdsearch.config.schema import TrainingConfig
    from kdsearch.distiller import DistillResult
    from kdsearch.teacher import Teacher


def load_dataset(
    data: str | Arrays = "digits",
    *,
    root: str | None = None,
    validation_count: int | None = None,
    subset: Literal["stratified", "uniform"] = "stratified",
    seed: int = 0,
) -> Splits:
    """A built-in data set by name, or your own arrays, split into train pool, validation and test.

    Raises:
        InputError: unknown name, missing files, or too large a validation split.
    """
    if isinstance(data, Arrays):
        count = len(data.train_targets) // 5 if validation_count is None else validation_count
        return split(data, count, seed, subset)
    config = _defaults(data).dataset if data in DATASETS else _defaults().dataset.model_copy(update={"name": data})
    changes: dict[str, Any] = {"root": root, "subset": subset}
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
    device: str = "cpu",
    **hyperparameters: float,
) -> DistillResult:
    """Train one student on `sample_count` samples of the train pool and score it on the validation split.

    loss = (1 - alpha) * CE(labels) + alpha * soft(objective): alpha weighs the teacher, 1 is the teacher alone.
    Without a teacher it learns from labels alone: objective, alpha and `hyperparameters` (`temperature`, …) do not
    apply.

    Raises:
        InputError: unknown objective, or hyperparameters that are not allowed.
        NonFiniteLossError: the loss became infinite or not a number.
    """
    from kdsearch import distiller

    defaults = _defaults(data.name)
    samples = data.samples(sample_count, derive_seed(seed, "subset") if subset_seed is None else subset_seed)
    recipe = Recipe("labels", 0.0, label_smoothing=label_smoothing)
    signals = validation_signals = None
    if teacher is not None:
        recipe = Recipe(objective, alpha, hyperparameters, label_smoothing)
        signals = teacher.signals.of(samples.ids)
        validation_signals = teacher.signals.of(data.validation.ids)
    student = student or defaults.student
    with distiller.suited_threads(student):
        return distiller.distill(
            student,
            recipe,
            training or defaults.training,
            distiller.TrainingSet.of(samples, data.class_count, signals),
            distiller.EvaluationSet.of(data.validation, validation_signals),
            seed=seed,
            device=device,
        )


@functools.cache
def _defaults(dataset: str = "digits") -> SweepConfig:
    from kdsearch.config.compose import compose_sweep

    name = dataset if dataset in DATASETS else "digits"
    return compose_sweep([f"dataset={name}"], outside_world=False).config
