"""The typed configuration of a sweep: frozen, validated as a whole, no unknown keys.

Every field has its default in `kdsearch/conf/`, where users look for it; the models here say what is allowed.
Checks that need the outside world (folders, devices, the data) live in `checks.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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
from pydantic_core import PydanticUndefined

from kdsearch.models.names import keys_of

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
    unlabelled_count: NonNegativeInt = 0
    """Further samples of the train pool, whose labels nobody sees, on which students hear the teacher alone."""
    target: str | None = Field(default=None, alias="_target_")
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Of the `_target_`, or of the built-in reader, which checks them when the data are looked at."""


class ModelConfig(Frozen):
    """A network by its name (`kdsearch.models.MODELS`), or the user's own `_target_`.

    `mlp` needs `hidden`, `cnn` needs `channels`, `transformer` needs `depth`, `width` and `heads`; what a name has no
    use for must stay unset. A `_target_` is called with `input_shape`, `class_count`, for token ids `vocabulary_size`,
    and `arguments`, and returns a `torch.nn.Module` that maps `[B, *input_shape]` to logits `[B, class_count]`.
    """

    name: str
    hidden: tuple[Count, ...] | None = None
    """Widths of the hidden layers."""
    channels: tuple[Count, ...] | None = None
    """Of each stage."""
    depth: Count | None = None
    """Layers."""
    width: Count | None = None
    """Of the embeddings."""
    heads: Count | None = None
    """Of the attention; divides `width`."""
    dropout: Fraction = 0.0
    pretrained: Flag = False
    """Start from the weights that torchvision or timm publish, from its cache or downloaded."""
    target: str | None = Field(default=None, alias="_target_")
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of a `_target_`, or of the function that makes torchvision's or timm's network."""

    @model_validator(mode="after")
    def _fields_fit_the_name(self) -> ModelConfig:
        # With `student._target_=…` alone, the other keys are those of the default network, so they are let be.
        takes = keys_of(self.name)
        if self.target is None and takes is not None:
            self._check_unused(takes)
            self._check_needed()
        return self

    def _check_unused(self, takes: Sequence[str]) -> None:
        for key, field in type(self).model_fields.items():
            is_default = getattr(self, key) == field.get_default(call_default_factory=True)
            if not is_default and key not in ("name", *takes):
                taken = f"it takes {', '.join(takes)}" if takes else "its name says everything"
                raise _refused(key, f"the model {self.name} takes no {key}; {taken}")

    def _check_needed(self) -> None:
        if self.name == "mlp" and self.hidden is None:
            raise _refused("hidden", "the model mlp needs a list of widths such as [32,32]")
        if self.name == "cnn" and not self.channels:
            raise _refused("channels", "the model cnn needs a list of channel counts such as [16,32]")
        if self.name == "transformer":
            for key in ("depth", "width", "heads"):
                if getattr(self, key) is None:
                    raise _refused(key, "the model transformer needs depth, width and heads, such as 2, 64 and 4")
            if self.width is not None and self.heads is not None and self.width % self.heads:
                raise _refused("heads", f"must divide width={self.width}")


class AugmentationConfig(Frozen):
    """Random changes of the inputs while a network trains, by torchvision.transforms.v2."""

    mode: Literal["none", "bank", "online"] = "none"
    """`bank`: `views` seeded augmentations of each sample, the teacher's signals cached for each of them; `online`: new
    ones at every step, and the teacher sees exactly the student's view; `none`: the inputs as they are."""
    views: Count = 8
    transforms: tuple[str | dict[str, dict[str, Any]], ...] = ()
    """Names of transforms, with their arguments where they take any: `{RandomCrop: {size: 32, padding: 4}}`."""

    @model_validator(mode="after")
    def _transforms_fit_the_mode(self) -> AugmentationConfig:
        if self.mode == "bank" and not self.transforms:
            raise _refused("transforms", "mode=bank needs at least one transform")
        if self.mode == "none" and self.transforms:
            raise _refused("mode", "must be bank or online, because transforms are given")
        if any(isinstance(entry, dict) and len(entry) != 1 for entry in self.transforms):
            raise _refused("transforms", "must each be a name, or one name with its arguments: {RandomCrop:{size:32}}")
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
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Of the forward pass (automatic mixed precision); weights, losses and the optimizer stay in fp32."""
    micro_batch_size: Count | None = None
    """The gradient of a batch is summed over parts of at most this size; null takes the batch whole. Where memory runs
    out it is halved, and the batch stays what it is."""
    channels_last: Flag = False
    """Images in memory with the channels behind, which tensor cores prefer."""
    compile: Flag = False
    """`torch.compile` the network: minutes at the start, faster steps afterwards."""
    deterministic: Flag = False
    """Only algorithms that give the same result every time on an accelerator too; slower. On a CPU they always do."""
    augmentation: AugmentationConfig = AugmentationConfig()

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

    @model_validator(mode="after")
    def _precision_fits_the_device(self) -> TrainingConfig:
        if self.precision == "fp16" and self.device == "cpu":
            raise _refused("precision", "must be fp32 or bf16 where device=cpu")
        return self


class TeacherConfig(Frozen):
    """What is distilled: a network, trained once per (data set, this config, seed) on the train pool, or several."""

    name: str
    model: ModelConfig
    training: TrainingConfig
    sample_count: Count | None = None
    """How many samples of the train pool the teacher sees; null is all of them."""
    weights: str | None = None
    """A file with the network's `state_dict`, or `pretrained` for the library's own weights: taken as it is, untrained;
    null trains it."""
    seeds: Count = 1
    """How many networks of this kind, from different seeds, are taken together."""
    members: dict[str, TeacherConfig] = Field(default_factory=dict)
    """Further teachers to take together with this one."""
    weighting: Literal["equal", "unikd"] = "equal"
    """Of several networks: `equal`, or `unikd`, by each one's correctness on a sample."""

    def networks(self) -> tuple[tuple[TeacherConfig, int], ...]:
        """Every network by itself, with the index of its seed; one or several."""
        alone = self.model_copy(update={"seeds": 1, "members": {}, "weighting": "equal"})
        own = tuple((alone, index) for index in range(self.seeds))
        return own + tuple(network for member in self.members.values() for network in member.networks())

    @property
    def is_ensemble(self) -> bool:
        return len(self.networks()) > 1

    @model_validator(mode="after")
    def _fits_together(self) -> TeacherConfig:
        if self.weights is not None and self.seeds > 1:
            raise _refused("seeds", "must be 1 where `weights` are given: they are one network's")
        if self.weighting != "equal" and self.seeds == 1 and not self.members:
            raise _refused("weighting", "must be equal where there is one network; `seeds` or `members` give more")
        return self


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


class FeaturesConfig(Frozen):
    """Which layers a feature objective compares; see `kdsearch.features.layers` for how a layer is called."""

    student_layer: str | None = None
    """None takes the last feature map, or what goes into the last linear layer."""
    teacher_layer: str | None = None


class SearchConfig(Frozen):
    metric: Literal["val_accuracy", "val_balanced_accuracy", "val_nll"] = "val_accuracy"
    pareto: Literal["flops", "parameters"] | None = None
    """What the search is to keep small beside `metric`: the student's FLOPs or parameters."""
    replicates: Count = 1
    """How many seeds each recipe is trained with; the search sees their mean."""
    transfer: Flag = False
    """Whether the sampler of a sample count sees the trials of the others as well; of `tpe` and `gp`."""


class ConfirmConfig(Frozen):
    top_k: NonNegativeInt = 3
    seeds: Count = 5


class MlflowConfig(Frozen):
    tracking_uri: str | None = None
    experiment: str | None = None
    patience: PositiveFloat = 600.0
    """Seconds that the tracking server may be away before the sweep stops, resumable."""
    register_students: Flag = Field(default=False, alias="register")
    """Whether the best confirmed student of each sample count is logged as a model, and registered."""
    registered_model: str | None = None
    """The name that they are registered under; None is the sweep's."""


class ResourcesConfig(Frozen):
    cpus_per_trial: PositiveFloat = 1.0
    gpus_per_trial: NonNegativeFloat = 0.0
    max_concurrent: Count | Literal["auto"] = "auto"
    """How many ledger trials are out at once; `auto` fills the cluster, 1 makes the whole sweep deterministic."""
    trials_per_worker: Count | Literal["auto"] = "auto"
    """Trials trained together in one worker as one batched model, a pack; `auto` is recorded for each student."""
    signals_in_memory: NonNegativeInt | Literal["auto"] = "auto"
    """MiB of teachers' signals that Ray's object store may hold; more than that are read from the storage in blocks."""


class ClusterConfig(Frozen):
    """Where the sweep runs; the group `cluster` has the defaults of each place."""

    place: Literal["own", "address", "aws", "kuberay", "slurm"] = "own"
    address: str | None = None
    """Address of a running Ray cluster, or `auto`; null or `local` starts Ray on this machine."""
    instance_type: str | None = None
    """Of AWS workers."""
    region: str | None = None
    """Of AWS; null is what boto3 finds."""

    @property
    def is_own(self) -> bool:
        """Whether the attempt starts its own Ray, on this machine."""
        return self.address in (None, "local")

    @property
    def grows(self) -> bool:
        """Whether an autoscaler adds nodes when trials wait, so that there may be none yet."""
        return self.place in ("aws", "kuberay")


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
    teachers: dict[str, TeacherConfig] = Field(default_factory=dict)
    """Those that the search chooses from, by name; controls use `teacher`. Empty where it is not searched."""
    student: ModelConfig
    students: dict[str, ModelConfig] = Field(default_factory=dict)
    """Likewise."""
    search_space: SearchSpaceConfig
    features: FeaturesConfig = FeaturesConfig()
    sample_counts: tuple[Count, ...]
    trials_per_count: Count
    search: SearchConfig
    time_budget: PositiveFloat | None = None
    """Seconds of search, over all attempts; null is no limit. Start, data, teacher and confirmation come on top."""
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


def default_of(key: str) -> Any:
    """The schema's default of a dotted key, as plain values; None where it has none."""
    model: Any = SweepConfig
    value: Any = None
    for part in key.split("."):
        fields = {field.alias or name: field for name, field in getattr(model, "model_fields", {}).items()}
        if part not in fields:
            return None
        model, value = fields[part].annotation, fields[part].get_default(call_default_factory=True)
    return None if value is PydanticUndefined else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    return list(value) if isinstance(value, tuple) else value
