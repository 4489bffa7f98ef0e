"""The typed configuration of a sweep: frozen, validated as a whole, no unknown keys.

Every field has its default in `kdsearch/conf/`, where users look for it; the models here say what is allowed.
Checks that need the outside world (folders, devices, the data) live in `checks.py`.
"""

from __future__ import annotations

import re
from typing import Annotated
from typing import Any
from typing import Literal
from typing import get_args
from typing import get_origin

from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import Field
from pydantic import field_validator
from pydantic import model_validator
from pydantic_core import PydanticCustomError

Count = Annotated[int, Field(strict=True, ge=1)]
NonNegativeInt = Annotated[int, Field(strict=True, ge=0)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
PositiveFloat = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(strict=True, ge=0, lt=1)]
Flag = Annotated[bool, Field(strict=True)]

SWEEP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


def _refused(key: str, allowed: str) -> PydanticCustomError:
    """A validator's error about `key` of the model it stands in."""
    return PydanticCustomError("refused", "{allowed}", {"key": key, "allowed": allowed})


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


Subset = Literal["stratified", "uniform", "balanced", "easy", "hard"]


class DatasetConfig(Frozen):
    """Where samples come from and how they are split.

    Built-in names are keys of `kdsearch.data.DATASETS`, each with arguments of its own; anything else is a `_target_`
    (with its keyword arguments under `arguments`) that returns `kdsearch.data.Arrays`.
    """

    name: str
    root: str | None = None
    """Folder that holds the files of the data set; None looks in the places the data set knows."""
    validation_count: Count
    subset: Subset = "stratified"
    """How the n labelled samples of a study are drawn from the train pool; see `kdsearch.data.subset_order`."""
    target: str | None = Field(default=None, alias="_target_")
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Of the `_target_`, or of the built-in reader, which checks them when the data are looked at."""


class ModelConfig(Frozen):
    """A network: `mlp` (widths in `hidden`), `cnn` (`channels` of each stage), or the user's own `_target_`.

    A `_target_` is called with `input_shape`, `class_count` and `arguments`, and returns a `torch.nn.Module`
    that maps `[B, *input_shape]` to logits `[B, class_count]`.
    """

    name: str
    hidden: tuple[Count, ...] | None = None
    channels: tuple[Count, ...] | None = None
    dropout: Fraction = 0.0
    target: str | None = Field(default=None, alias="_target_")
    arguments: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fields_fit_the_name(self) -> ModelConfig:
        if self.target is not None:
            return self
        if self.name == "mlp" and self.hidden is None:
            raise _refused("hidden", "the model mlp needs a list of widths such as [32,32]")
        if self.name == "cnn" and not self.channels:
            raise _refused("channels", "the model cnn needs a list of channel counts such as [16,32]")
        return self


class TrainingConfig(Frozen):
    """How a network is trained: budget, optimizer, schedule."""

    epochs: Count | None = None
    """Budget in passes over the n samples (the paper's; steps shrink with n)."""
    steps: Count | None = None
    """Budget in optimizer steps, the same for every n. With both null: DEFAULT_STEPS."""
    batch_size: Count = 32
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: PositiveFloat = 0.05
    momentum: Fraction = 0.9
    weight_decay: NonNegativeFloat = 5e-4
    schedule: Literal["constant", "cosine", "one_cycle"] = "cosine"
    gradient_clip: PositiveFloat | None = 5.0
    """Largest norm of the gradient; null switches clipping off (logit MSE then diverges at high learning rates)."""
    evaluations: Count = 20
    """How many times the validation split is scored during training; the last is always at the end."""
    device: str = "auto"
    """`auto` (CUDA where the trial has a GPU, else the CPU), `cpu`, `cuda` or `cuda:INDEX`."""

    @model_validator(mode="after")
    def _one_budget(self) -> TrainingConfig:
        if self.epochs is not None and self.steps is not None:
            raise _refused("epochs", f"steps={self.steps} is set too; a budget is one of them, the other must be null")
        return self

    @field_validator("device")
    @classmethod
    def _known_device(cls, device: str) -> str:
        if not DEVICE.fullmatch(device):
            raise ValueError("must be auto, cpu, cuda or cuda:INDEX")
        return device


class TeacherConfig(Frozen):
    """The network whose outputs are distilled; trained once per (data set, this config, seed), on the train pool."""

    name: str
    model: ModelConfig
    training: TrainingConfig
    sample_count: Count | None = None
    """How many samples of the train pool the teacher sees; null is all of them."""


class ParameterConfig(Frozen):
    """The range of one searched parameter: `choices`, or `low`/`high`; with neither, the range its spec gives."""

    low: Number | None = None
    high: Number | None = None
    log: Flag = False
    step: PositiveFloat | None = None
    choices: tuple[str | bool | int | float, ...] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the range is left to the parameter's spec."""
        return self.low is None and self.high is None and self.choices is None


class SearchSpaceConfig(Frozen):
    parameters: dict[str, ParameterConfig]


class SearchConfig(Frozen):
    metric: Literal["val_accuracy", "val_balanced_accuracy", "val_nll"] = "val_accuracy"
    replicates: Count = 1
    """How many seeds each recipe is trained with; the search sees their mean."""


class ConfirmConfig(Frozen):
    top_k: NonNegativeInt = 3
    seeds: Count = 5


class MlflowConfig(Frozen):
    tracking_uri: str | None = None
    experiment: str | None = None
    patience: PositiveFloat = 600.0
    """Seconds that the tracking server may be away before the sweep stops, resumable."""


class ResourcesConfig(Frozen):
    cpus_per_trial: PositiveFloat = 1.0
    gpus_per_trial: NonNegativeFloat = 0.0
    max_concurrent: Count | Literal["auto"] = "auto"
    """How many ledger trials are out at once; `auto` fills the cluster, 1 makes the whole sweep deterministic."""
    trials_per_worker: Count | Literal["auto"] = "auto"
    """Trials trained together in one worker (a pack)."""


class ClusterConfig(Frozen):
    address: str | None = None
    """Address of a running Ray cluster, or `auto`; null or `local` starts Ray on this machine."""

    @property
    def is_own(self) -> bool:
        """Whether the attempt starts its own Ray, on this machine."""
        return self.address in (None, "local")


ControlConfig = str | dict[str, tuple[Number, ...]]


class SweepConfig(Frozen):
    """One sweep: everything `kdsearch sweep` needs, with paths made absolute."""

    name: Annotated[str, Field(coerce_numbers_to_str=True)]
    seed: NonNegativeInt = 0
    storage: str
    ledger: str
    mlflow: MlflowConfig
    dataset: DatasetConfig
    teacher: TeacherConfig
    student: ModelConfig
    search_space: SearchSpaceConfig
    sample_counts: tuple[Count, ...]
    trials_per_count: Count
    search: SearchConfig
    time_budget: PositiveFloat | None = None
    """Seconds of search, over all attempts; null is no limit. Confirmation comes on top."""
    max_failed_trials: NonNegativeInt | None = None
    max_restarts: NonNegativeInt = 3
    controls: tuple[ControlConfig, ...]
    confirm: ConfirmConfig
    sampler: Literal["tpe", "random", "gp", "cmaes", "qmc"]
    pruner: Literal["none", "successive_halving", "hyperband", "median", "percentile", "wilcoxon"]
    training: TrainingConfig
    resources: ResourcesConfig
    cluster: ClusterConfig

    @field_validator("name")
    @classmethod
    def _safe_path_part(cls, name: str) -> str:
        if not SWEEP_NAME.fullmatch(name):
            raise ValueError(
                "must be a path part: letters, digits, `.`, `_`, `-`, at most 100, the first a letter or digit"
            )
        return name

    @field_validator("sample_counts")
    @classmethod
    def _distinct_counts(cls, counts: tuple[int, ...]) -> tuple[int, ...]:
        if not counts:
            raise ValueError("must hold at least one sample count")
        if len(set(counts)) != len(counts):
            raise ValueError("must not name a sample count twice")
        return tuple(sorted(counts))


def allowed_names(key: str) -> tuple[str, ...]:
    """The names that the value of a dotted key is one of; empty where anything else is allowed."""
    model: Any = SweepConfig
    annotation: Any = None
    for part in key.split("."):
        fields = getattr(model, "model_fields", {})
        if part not in fields:
            return ()
        model = annotation = fields[part].annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()
