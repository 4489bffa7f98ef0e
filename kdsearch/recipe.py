"""A recipe: everything about one student's training that a search may choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from typing import Literal
from typing import get_args

from kdsearch.config.schema import Subset
from kdsearch.features.spec import FEATURE_SPECS
from kdsearch.features.spec import FEATURE_WEIGHT
from kdsearch.objectives.spec import ALPHA
from kdsearch.objectives.spec import LABELS
from kdsearch.objectives.spec import SPECS
from kdsearch.objectives.spec import LossSpec
from kdsearch.objectives.spec import Parameter

TRAINING_PARAMETERS: dict[str, Parameter] = {
    parameter.name: parameter
    for parameter in (
        Parameter("learning_rate", default=0.05, low=1e-3, high=0.3, log=True, exclusive_minimum=True),
        Parameter("weight_decay", default=5e-4, low=1e-5, high=1e-2, log=True),
    )
}
"""The training keys that may be searched; each overrides the sweep's `training.<name>`."""


TEACHER = "teacher"
STUDENT = "student"
FEATURE_OBJECTIVE = "feature_objective"
NO_FEATURE = "none"
SUBSET = "subset"
SUBSETS: tuple[str, ...] = get_args(Subset)
"""How the n labelled samples may be drawn; see `kdsearch.data.subset_order`."""

Signal = Literal["teacher", "smoothed", "shuffled", "random_head"]
"""What the student is told about a sample: the teacher's output, or what a control puts in its place
(`kdsearch.teacher.altered`)."""


@dataclass(frozen=True)
class Source:
    """The part of a recipe that says which samples a student sees, and what it is told about them."""

    teacher: str | None
    """One of the sweep's `teachers`; None is its `teacher`."""
    signal: Signal
    subset: Subset | None
    """How the samples are drawn; None is `dataset.subset`."""
    is_taught: bool
    """Whether it is told the teacher's outputs, and not labels alone."""
    feature: str | None
    """The feature objective for which it is told what a layer of the teacher gives."""


@dataclass(frozen=True)
class FeatureRecipe:
    """What is added to the loss: weight * the feature objective, between a layer of the student and of the teacher."""

    objective: str
    weight: float
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> FeatureRecipe | None:
        """Of a trial's flat parameters; what is missing takes its default."""
        name = params.get(FEATURE_OBJECTIVE, NO_FEATURE)
        if name == NO_FEATURE:
            return None
        spec = FEATURE_SPECS[name]
        weight = float(params.get(FEATURE_WEIGHT.name, spec.default_weight))
        return cls(name, weight, _hyperparameters(spec, params))

    def flat(self) -> dict[str, Any]:
        return {FEATURE_OBJECTIVE: self.objective, FEATURE_WEIGHT.name: self.weight, **self.hyperparameters}


@dataclass(frozen=True)
class Recipe:
    """loss = (1 - alpha) * CE(labels, label_smoothing) + alpha * soft(objective, hyperparameters) + feature term."""

    objective: str
    alpha: float
    hyperparameters: Mapping[str, float] = field(default_factory=dict)
    label_smoothing: float = 0.0
    training: Mapping[str, float] = field(default_factory=dict)
    teacher: str | None = None
    signal: Signal = "teacher"
    subset: Subset | None = None
    student: str | None = None
    """One of the sweep's `students`; None is its `student`."""
    feature: FeatureRecipe | None = None

    @property
    def source(self) -> Source:
        feature = self.feature.objective if self.feature is not None else None
        return Source(self.teacher, self.signal, self.subset, is_taught=self.alpha > 0, feature=feature)

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Recipe:
        """The recipe of a searched trial's flat parameters; what is missing takes its default."""
        objective = str(params.get("objective", "kl"))
        training = {name: float(params[name]) for name in TRAINING_PARAMETERS if name in params}
        subset, student = params.get(SUBSET), params.get(STUDENT)
        if objective == LABELS:
            smoothing = float(params.get("label_smoothing", 0.0))
            return cls(LABELS, 0.0, label_smoothing=smoothing, training=training, subset=subset, student=student)
        return cls(
            objective,
            float(params.get("alpha", ALPHA.default)),
            _hyperparameters(SPECS[objective], params),
            training=training,
            teacher=params.get(TEACHER),
            signal=params.get("signal", "teacher"),
            subset=subset,
            student=student,
            feature=FeatureRecipe.from_params(params),
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recipe:
        feature = data.get("feature")
        return cls(**{**data, "feature": FeatureRecipe(**feature) if feature else None})

    def to_dict(self) -> dict[str, Any]:
        return {
            "objective": self.objective,
            "alpha": self.alpha,
            "hyperparameters": dict(self.hyperparameters),
            "label_smoothing": self.label_smoothing,
            "training": dict(self.training),
            "teacher": self.teacher,
            "signal": self.signal,
            "subset": self.subset,
            "student": self.student,
            "feature": None if self.feature is None else asdict(self.feature),
        }

    def flat(self) -> dict[str, Any]:
        """All of it under plain names, as MLflow and tables show it."""
        flat: dict[str, Any] = {
            "objective": self.objective,
            "alpha": self.alpha,
            **self.hyperparameters,
            **self.training,
        }
        if self.label_smoothing:
            flat["label_smoothing"] = self.label_smoothing
        if self.signal != "teacher":
            flat["signal"] = self.signal
        if self.feature is not None:
            flat |= self.feature.flat()
        return flat | {name: value for name, value in self._choices.items() if value is not None}

    @property
    def _choices(self) -> dict[str, str | None]:
        return {STUDENT: self.student, TEACHER: self.teacher, SUBSET: self.subset}

    def label(self) -> str:
        """A short name for people: `kl T=4.2 a=0.80`, `labels`, `labels e=0.1`."""
        if self.objective == LABELS:
            parts = [LABELS] + ([f"e={self.label_smoothing:g}"] if self.label_smoothing else [])
        else:
            parts = [
                self.objective,
                *(k if v is True else f"{_SHORT.get(k, k)}={v:.3g}" for k, v in self.hyperparameters.items()),
                f"a={self.alpha:.2f}",
            ]
        if self.feature is not None:
            parts += [f"+{self.feature.objective}", f"fw={self.feature.weight:.3g}"]
        parts += [f"{name}={value}" for name, value in self._choices.items() if value is not None]
        return " ".join(parts + [f"{_SHORT.get(k, k)}={v:.2g}" for k, v in self.training.items()])


def _hyperparameters(spec: LossSpec, params: Mapping[str, Any]) -> dict[str, float]:
    """Every number that `spec` takes, and the switches that are on."""
    numbers = {p.name: float(params.get(p.name, p.default)) for p in spec.parameters if not p.switch}
    return numbers | {p.name: True for p in spec.parameters if p.switch and params.get(p.name, p.default)}


_SHORT = {
    "temperature": "T",
    "target_temperature": "Tt",
    "target_weight": "wt",
    "nontarget_weight": "wn",
    "inter_weight": "inter",
    "intra_weight": "intra",
    "learning_rate": "lr",
    "weight_decay": "wd",
}
