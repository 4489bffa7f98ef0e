"""What an objective is called, what it can be tuned with, and within which bounds.

Importing this module must stay free of torch: the command line, validation and the search space are built from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from typing import Any


@dataclass(frozen=True)
class Parameter:
    """What a search may choose: its default, the range searched when the user gives none, and what is valid.

    `minimum` and `maximum` bound every value, searched or fixed; with `exclusive_minimum`, `minimum` itself is out.
    A `switch` is false or true instead of a number, and off unless it is asked for.
    """

    name: str
    default: float
    low: float
    high: float
    log: bool = False
    minimum: float = 0.0
    maximum: float = float("inf")
    exclusive_minimum: bool = False
    switch: bool = False

    def problem(self, value: float) -> str | None:
        """Why `value` is not allowed, or None."""
        if self.switch:
            return None if value in (False, True) else f"must be {self.allowed}"
        below = value <= self.minimum if self.exclusive_minimum else value < self.minimum
        if below or value > self.maximum or value != value:
            return f"must be {self.allowed}"
        return None

    @property
    def allowed(self) -> str:
        if self.switch:
            return "true (1) or false (0)"
        lower = f"{'>' if self.exclusive_minimum else '>='} {self.minimum:g}"
        return lower if self.maximum == float("inf") else f"{lower} and <= {self.maximum:g}"


@dataclass(frozen=True)
class LossSpec:
    """What objectives on logits and on features have in common."""

    name: str
    loss: str
    """Import path of the function that computes it, `module:function`."""
    parameters: tuple[Parameter, ...]
    """The hyperparameters that apply to it."""
    paper: str

    def defaults(self) -> dict[str, Any]:
        return {parameter.name: parameter.default for parameter in self.parameters}


@dataclass(frozen=True)
class ObjectiveSpec(LossSpec):
    """One objective on logits.

    `loss` names a function of student_logits [..., B, C], teacher_logits [..., B, C], labels [..., B] and, by keyword,
    the hyperparameters; it returns the soft loss per sample, [..., B].
    """

    uses_progress: bool = False
    """Whether `loss` takes the keyword `progress`, the share of training that is over, in [0, 1]."""


TEMPERATURE = Parameter("temperature", default=4.0, low=1.0, high=40.0, log=True, exclusive_minimum=True)
PLAIN_TEMPERATURE = replace(TEMPERATURE, default=1.0)
TARGET_TEMPERATURE = replace(PLAIN_TEMPERATURE, name="target_temperature")
STANDARDIZE = Parameter("standardize", default=False, low=False, high=True, switch=True)
TARGET_WEIGHT = Parameter("target_weight", default=1.0, low=0.25, high=4.0, log=True)
NONTARGET_WEIGHT = Parameter("nontarget_weight", default=8.0, low=0.5, high=16.0, log=True)
WARMUP = Parameter("warmup", default=20 / 240, low=0.0, high=0.5, maximum=1.0)
"""The share of training over which a loss grows to its full weight: the papers' 20 of 240 epochs."""
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
            (TEMPERATURE, STANDARDIZE),
            "Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, arXiv 1503.02531",
        ),
        ObjectiveSpec(
            "mse",
            "kdsearch.objectives.distance:mse",
            (),
            "Kim et al.: Comparing Kullback-Leibler Divergence and Mean Squared Error Loss, arXiv 2105.08919",
        ),
        ObjectiveSpec(
            "l1",
            "kdsearch.objectives.distance:l1",
            (),
            "after Ba, Caruana: Do Deep Nets Really Need to be Deep?, arXiv 1312.6184",
        ),
        ObjectiveSpec(
            "reverse_kl",
            "kdsearch.objectives.kl:reverse_kl",
            (TEMPERATURE, STANDARDIZE),
            "Gu, Dong, Wei, Huang: MiniLLM, arXiv 2306.08543",
        ),
        ObjectiveSpec(
            "jsd",
            "kdsearch.objectives.jsd:jsd",
            (Parameter("beta", default=0.5, low=0.0, high=1.0, maximum=1.0), TEMPERATURE, STANDARDIZE),
            "Agarwal et al.: On-Policy Distillation of Language Models, arXiv 2306.13649",
        ),
        ObjectiveSpec(
            "dkd",
            "kdsearch.objectives.dkd:dkd",
            (TEMPERATURE, TARGET_WEIGHT, NONTARGET_WEIGHT, WARMUP, STANDARDIZE),
            "Zhao et al.: Decoupled Knowledge Distillation, arXiv 2203.08679",
            uses_progress=True,
        ),
        ObjectiveSpec(
            "nkd",
            "kdsearch.objectives.nkd:nkd",
            (Parameter("gamma", default=1.5, low=0.5, high=4.0, log=True), PLAIN_TEMPERATURE),
            "Yang et al.: From Knowledge Distillation to Self-Knowledge Distillation, arXiv 2303.13005",
        ),
        ObjectiveSpec(
            "dist",
            "kdsearch.objectives.dist:dist",
            (
                Parameter("inter_weight", default=1.0, low=0.25, high=4.0, log=True),
                Parameter("intra_weight", default=1.0, low=0.25, high=4.0, log=True),
                PLAIN_TEMPERATURE,
            ),
            "Huang et al.: Knowledge Distillation from A Stronger Teacher, arXiv 2205.10536",
        ),
        ObjectiveSpec(
            "rld",
            "kdsearch.objectives.rld:rld",
            (TEMPERATURE, TARGET_TEMPERATURE, TARGET_WEIGHT, NONTARGET_WEIGHT, WARMUP, STANDARDIZE),
            "Sun et al.: Knowledge Distillation with Refined Logits, arXiv 2408.07703",
            uses_progress=True,
        ),
    )
}
"""All objectives. Parameters of one name have one range and one set of bounds, since a search asks for it once."""
