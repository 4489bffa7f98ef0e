"""From an objective's name and hyperparameters to the function that computes its loss."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Protocol

import torch
from torch import Tensor

from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.objectives.spec import SPECS
from kdsearch.objectives.spec import Parameter


class BoundLoss(Protocol):
    """An objective's loss with its hyperparameters in place."""

    def __call__(
        self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, *, progress: float = 1.0
    ) -> Tensor:
        """[..., B, C], [..., B, C] and [..., B] → loss per sample [..., B], after a share `progress` of training."""


def bind(name: str, hyperparameters: Mapping[str, Any]) -> BoundLoss:
    """The loss of objective `name` with its hyperparameters checked and filled in.

    Raises:
        InputError: unknown objective or hyperparameter, or a value that is not allowed; all problems at once.
    """
    if name not in SPECS:
        raise InputError([Problem("objective", name, f"must be one of {', '.join(SPECS)}")])
    spec = SPECS[name]
    problems = hyperparameter_problems(spec.name, spec.parameters, hyperparameters)
    if problems:
        raise InputError(problems)
    loss = functools.partial(loss_function(spec.loss), **{**spec.defaults(), **hyperparameters})
    return loss if spec.uses_progress else _at_any_progress(loss)


def _at_any_progress(loss: Callable[..., Tensor]) -> BoundLoss:
    def bound(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, *, progress: float = 1.0) -> Tensor:
        return loss(student_logits, teacher_logits, labels)

    return bound


def hyperparameter_problems(
    name: str, parameters: Sequence[Parameter], hyperparameters: Mapping[str, Any]
) -> list[Problem]:
    """What is wrong with the `hyperparameters` of objective `name`, which takes `parameters`."""
    known = {parameter.name: parameter for parameter in parameters}
    allowed = f"`{name}` takes {', '.join(known)}" if known else f"`{name}` takes no hyperparameters"
    problems = [Problem(key, value, allowed) for key, value in hyperparameters.items() if key not in known]
    for key, parameter in known.items():
        if key in hyperparameters:
            problem = _value_problem(parameter, hyperparameters[key])
            if problem is not None:
                problems.append(problem)
    return problems


def _value_problem(parameter: Parameter, value: Any) -> Problem | None:
    values = value.flatten().tolist() if isinstance(value, torch.Tensor) else [value]
    for number in values:
        if not isinstance(number, int | float) or (isinstance(number, bool) and not parameter.switch):
            kind = "" if parameter.switch else "a number "
            return Problem(parameter.name, number, f"must be {kind}{parameter.allowed}")
        reason = parameter.problem(number)
        if reason is not None:
            return Problem(parameter.name, number, reason)
    return None


@functools.cache
def loss_function(path: str) -> Callable[..., Tensor]:
    """The function at the import path `package.module:function` of a spec."""
    module, _, function = path.partition(":")
    loss: Callable[..., Tensor] = getattr(importlib.import_module(module), function)
    return loss
