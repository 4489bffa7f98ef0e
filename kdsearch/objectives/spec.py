"""What an objective is called, what it can be tuned with, and within which bounds.

Importing this module must stay free of torch: the command line, validation and the search space are built from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Parameter:
    """A number that a search may choose: its default, the range searched when the user gives none, and what is valid.

    `minimum` and `maximum` bound every value, searched or fixed; with `exclusive_minimum`, `minimum` itself is out.
    """

    name: str
    default: float
    low: float
    high: float
    log: bool = False
    minimum: float = 0.0
    maximum: float = float("inf")
    exclusive_minimum: bool = False

    def problem(self, value: float) -> str | None:
        """Why `value` is not allowed, or None."""
        below = value <= self.minimum if self.exclusive_minimum else value < self.minimum
        if below or value > self.maximum or value != value:
            return f"must be {self.allowed}"
        return None

    @property
    def allowed(self) -> str:
        lower = f"{'>' if self.exclusive_minimum else '>='} {self.minimum:g}"
        return lower if self.maximum == float("inf") else f"{lower} and <= {self.maximum:g}"


@dataclass(frozen=True)
class ObjectiveSpec:
    """One objective: its loss function's import path and the hyperparameters that apply to it.

    `loss` names a function of student_logits [..., B, C], teacher_logits [..., B, C], labels [..., B] and, by keyword,
    the hyperparameters; it returns the soft loss per sample, [..., B].
    """

    name: str
    loss: str
    parameters: tuple[Parameter, ...]
    paper: str

    def defaults(self) -> dict[str, Any]:
        return {parameter.name: parameter.default for parameter in self.parameters}


TEMPERATURE = Parameter("temperature", default=4.0, low=1.0, high=40.0, log=True, exclusive_minimum=True)
ALPHA = Parameter("alpha", default=1.0, low=0.5, high=1.0, maximum=1.0)
"""Weight of the teacher: loss = (1 - alpha) * CE(labels) + alpha * soft."""

LABELS = "labels"
"""The objective that uses no teacher: alpha is 0 and nothing else applies."""

SPECS: dict[str, ObjectiveSpec] = {
    spec.name: spec
    for spec in (
        ObjectiveSpec(
            "kl",
            "kdsearch.objectives.kl:kl",
            (TEMPERATURE,),
            "Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, arXiv 1503.02531",
        ),
        ObjectiveSpec(
            "mse",
            "kdsearch.objectives.mse:mse",
            (),
            "Kim et al.: Comparing Kullback-Leibler Divergence and Mean Squared Error Loss, arXiv 2105.08919",
        ),
    )
}
