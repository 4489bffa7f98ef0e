"""Objectives: pure loss functions on logits, each with a typed spec of its hyperparameters.

`python -m kdsearch.objectives` lists them with their defaults, ranges and papers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from kdsearch.objectives.spec import SPECS
from kdsearch.objectives.spec import ObjectiveSpec
from kdsearch.objectives.spec import Parameter

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SPECS", "ObjectiveSpec", "Parameter", "soft_loss"]


def soft_loss(
    name: str,
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    progress: float = 1.0,
    **hyperparameters: Any,
) -> Tensor:
    """The objective's soft loss per sample; its mean over samples is the objective's soft term.

    Args:
        name: an objective, a key of `SPECS`.
        student_logits: [..., B, C]; leading axes are slots of a pack.
        teacher_logits: [..., B, C].
        labels: class indices [..., B].
        progress: the share of training that is over, in [0, 1], for objectives that warm up.
        hyperparameters: those of the objective's spec, numbers or tensors over the slot axes; the others take their
            defaults.

    Returns:
        [..., B], float32 (float64 where an input is).

    Raises:
        InputError: unknown objective or hyperparameter, or a value that is not allowed.
        ValueError: student and teacher differ in the number of classes.
    """
    from kdsearch.objectives.binding import bind

    return bind(name, hyperparameters)(student_logits, teacher_logits, labels, progress=progress)
