"""Kullback-Leibler divergence between softened outputs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from kdsearch.objectives.common import over_samples
from kdsearch.objectives.common import promote


def kl(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor | None = None, *, temperature: float | Tensor = 4.0
) -> Tensor:
    """T² · Σ_c p_c (log p_c − log q_c), with p = softmax(teacher/T) and q = softmax(student/T).

    Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, arXiv 1503.02531. T² keeps the gradient's size
    independent of T; as T grows the loss tends to ½ · mean-free MSE: (1/2C) Σ_c (z_c − v_c)² of centred logits.

    Args:
        student_logits: [..., B, C].
        teacher_logits: [..., B, C], or a shape that broadcasts to it.
        labels: not used.
        temperature: T > 0, a number or a tensor over the leading (slot) axes.

    Returns:
        Loss per sample, [..., B], in float32, or float64 where an input is.
    """
    student, teacher = promote(student_logits, teacher_logits)
    t = over_samples(temperature, student)
    log_q = F.log_softmax(student / t, dim=-1)
    log_p = F.log_softmax(teacher / t, dim=-1)
    divergence = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=-1)
    return divergence * (t.squeeze(-1) if isinstance(t, torch.Tensor) else t) ** 2
