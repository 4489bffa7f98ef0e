"""A recipe: everything about one student's training that a search may choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from typing import Literal

from kdsearch.objectives.spec import ALPHA
from kdsearch.objectives.spec import LABELS
from kdsearch.objectives.spec import SPECS
from kdsearch.objectives.spec import ObjectiveSpec
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
SUBSET = "subset"
SUBSETS = ("stratified", "uniform", "balanced", "easy", "hard")
"""How the n labelled samples may be drawn; see `kdsearch.data.subsets`."""

TEACHERS_SUBSETS = ("easy", "hard")
"""Those that go by the teacher's loss on each sample."""

Signal = Literal["teacher", "smoothed", "shuffled", "random_head"]
"""What the student is told about a sample: the teacher's output, or what a control puts in its place
(`kdsearch.teacher.altered`)."""


@dataclass(frozen=True)
class Source:
    """The part of a recipe that says which samples a student sees, and what it is told about them."""

    teacher: str | None
    """One of the sweep's `teachers`; None is its `teacher`."""
    signal: Signal
    subset: str | None
    """How the samples are drawn; None is `dataset.subset`."""
    is_taught: bool
    """Whether it is told anything but labels."""


@dataclass(frozen=True)
class Recipe:
    """loss = (1 - alpha) * CE(labels, label_smoothing) + alpha * soft(objective, hyperparameters)."""

    objective: str
    alpha: float
    hyperparameters: Mapping[str, float] = field(default_factory=dict)
    label_smoothing: float = 0.0
    training: Mapping[str, float] = field(default_factory=dict)
    teacher: str | None = None
    signal: Signal = "teacher"
    subset: str | None = None

    @property
    def source(self) -> Source:
        return Source(self.teacher, self.signal, self.subset, is_taught=self.alpha > 0)

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Recipe:
        """The recipe of a searched trial's flat parameters; what is missing takes its default."""
        objective = str(params.get("objective", "kl"))
        training = {name: float(params[name]) for name in TRAINING_PARAMETERS if name in params}
        subset = params.get(SUBSET)
        if objective == LABELS:
            smoothing = float(params.get("label_smoothing", 0.0))
            return cls(LABELS, 0.0, label_smoothing=smoothing, training=training, subset=subset)
        return cls(
            objective,
            float(params.get("alpha", ALPHA.default)),
            _hyperparameters(SPECS[objective], params),
            training=training,
            teacher=params.get(TEACHER),
            signal=params.get("signal", "teacher"),
            subset=subset,
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recipe:
        return cls(**data)

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
        return flat | {name: value for name, value in self._choices.items() if value is not None}

    @property
    def _choices(self) -> dict[str, str | None]:
        return {TEACHER: self.teacher, SUBSET: self.subset}

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
        parts += [value for value in self._choices.values() if value is not None]
        return " ".join(parts + [f"{_SHORT.get(k, k)}={v:.2g}" for k, v in self.training.items()])


def _hyperparameters(spec: ObjectiveSpec, params: Mapping[str, Any]) -> dict[str, float]:
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
