"""The sweeps that all contenders run, and what the others are given for them: kdsearch's data, teacher and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    from torch import Tensor


STORAGE, MATERIAL = "storage", "material.pt"


@dataclass(frozen=True)
class Workload:
    """A sweep, as kdsearch's overrides."""

    name: str
    title: str
    """For people."""
    sample_counts: tuple[int, ...]
    overrides: tuple[str, ...]

    def sweep(self, storage: Path) -> list[str]:
        """The overrides of a sweep on it; trials that confirm are no part of what is compared."""
        counts = ",".join(map(str, self.sample_counts))
        return [f"storage={storage}", f"sample_counts=[{counts}]", "confirm.top_k=0", *self.overrides]


DIGITS = Workload(
    "digits",
    "digits, MLP",
    (50, 200, 1000),
    ("training.epochs=20", "training.batch_size=64", "student.hidden=[32,32]"),
)
CONVOLUTIONAL = Workload(
    "fashion_mnist",
    "Fashion-MNIST, CNN",
    (600,),
    ("dataset=fashion_mnist", "training.epochs=20", "training.batch_size=64", "student=cnn"),
)


@dataclass(frozen=True)
class Samples:
    """What a student of one sample count learns from: inputs [n, …], class indices [n], the teacher's logits [n, C]."""

    inputs: Tensor
    targets: Tensor
    signals: Tensor


@dataclass(frozen=True)
class Material:
    """Everything that a training needs, in memory."""

    student: Mapping[str, Any]
    """kdsearch's `student`, as plain values."""
    training: Mapping[str, Any]
    """kdsearch's `training`, as plain values."""
    class_count: int
    samples: Mapping[int, Samples]
    """By sample count."""
    validation_inputs: Tensor
    validation_targets: Tensor


def prepare(workload: Workload, folder: Path) -> None:
    """Train the teacher and write the material into `folder`, the samples and signals those of the sweep's search."""
    import torch

    from kdsearch.config.compose import compose_sweep
    from kdsearch.data import load_splits
    from kdsearch.seeds import derive_seed
    from kdsearch.storage import open_storage
    from kdsearch.teacher import ensure_teacher

    config = compose_sweep(workload.sweep(folder / STORAGE), outside_world=False).config
    splits = load_splits(config.dataset, config.seed)
    teacher = ensure_teacher(config.teacher, splits, config.seed, open_storage(config.storage), device="cpu")
    subset_seed = derive_seed(config.seed, "subset", "search")
    subsets = {n: splits.samples(n, subset_seed) for n in workload.sample_counts}
    material = {
        "student": config.student.model_dump(by_alias=True),
        "training": config.training.model_dump(),
        "class_count": splits.class_count,
        "samples": {
            n: [torch.tensor(array) for array in (subset.inputs, subset.targets, teacher.logits_of(subset.ids))]
            for n, subset in subsets.items()
        },
        "validation_inputs": torch.tensor(splits.validation.inputs),
        "validation_targets": torch.tensor(splits.validation.targets),
    }
    torch.save(material, folder / MATERIAL)


def load_material(folder: Path) -> Material:
    import torch

    stored = torch.load(folder / MATERIAL, weights_only=True)
    return Material(**{**stored, "samples": {n: Samples(*tensors) for n, tensors in stored["samples"].items()}})
