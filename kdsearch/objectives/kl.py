"""Kullback-Leibler divergence between softened outputs, in either direction."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from kdsearch.objectives.common import kl_divergence
from kdsearch.objectives.common import over_samples
from kdsearch.objectives.common import per_sample
from kdsearch.objectives.common import promote
from kdsearch.objectives.common import standardized


def kl(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor | None = None,
    *,
    temperature: float | Tensor = 4.0,
    standardize: bool | Tensor = False,
) -> Tensor:
    """T² · Σ_c p_c (log p_c − log q_c), with p = softmax(teacher/T) and q = softmax(student/T).

    Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, arXiv 1503.02531. T² keeps the gradient's size
    independent of T; as T grows the loss tends to ½ · mean-free MSE: (1/2C) Σ_c (z_c − v_c)² of centred logits.

    Args:
        student_logits: [..., B, C].
        teacher_logits: [..., B, C], or a shape that broadcasts to it.
        labels: not used.
        temperature: T > 0, a number or a tensor over the leading (slot) axes.
        standardize: whether both logits are standardised over the classes first (Sun et al., arXiv 2403.01427).

    Returns:
        Loss per sample, [..., B], in float32, or float64 where an input is.
    """
    log_p, log_q = softened(student_logits, teacher_logits, temperature, standardize)
    divergence = kl_divergence(log_p, log_q)
    return divergence * per_sample(temperature, divergence) ** 2


def reverse_kl(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor | None = None,
    *,
    temperature: float | Tensor = 4.0,
    standardize: bool | Tensor = False,
) -> Tensor:
    """T² · Σ_c q_c (log q_c − log p_c): as `kl`, with the student's q and the teacher's p changed over.

    Gu, Dong, Wei, Huang: MiniLLM, arXiv 2306.08543. It makes the student leave out what the teacher holds improbable
    rather than cover all that it holds possible.

    Args, returns: as for `kl`.
    """
    log_p, log_q = softened(student_logits, teacher_logits, temperature, standardize)
    divergence = kl_divergence(log_q, log_p)
    return divergence * per_sample(temperature, divergence) ** 2


def softened(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float | Tensor, standardize: bool | Tensor
) -> tuple[Tensor, Tensor]:
    """(log p of the teacher, log q of the student) at the temperature, in at least float32."""
    student, teacher = promote(student_logits, teacher_logits)
    student, teacher = standardized(student, teacher, standardize)
    t = over_samples(temperature, student)
    return F.log_softmax(teacher / t, dim=-1), F.log_softmax(student / t, dim=-1)
