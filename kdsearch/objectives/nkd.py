"""Normalised knowledge distillation: the teacher's confidence in the label, and the classes other than it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from kdsearch.objectives.common import class_mask
from kdsearch.objectives.common import log_target_and_rest
from kdsearch.objectives.common import masked_log_softmax
from kdsearch.objectives.common import over_samples
from kdsearch.objectives.common import per_sample
from kdsearch.objectives.common import promote


def nkd(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    gamma: float | Tensor = 1.5,
    temperature: float | Tensor = 1.0,
) -> Tensor:
    """−p_y log q_y − γ·T² · Σ_{c≠y} p̂_c log q̂_c, with p = softmax(teacher), q = softmax(student) and the label y.

    Yang, Zeng, Li, Zhang, Yuan, Li: From Knowledge Distillation to Self-Knowledge Distillation: A Unified Approach with
    Normalized Loss and Customized Soft Labels, arXiv 2303.13005. p̂ and q̂ are the softmax at T over the classes other
    than y. These are cross-entropies: a student that equals the teacher still has the teacher's entropy as its loss.

    Args:
        student_logits: [..., B, C].
        teacher_logits: [..., B, C], or a shape that broadcasts to it.
        labels: class indices [..., B], or a shape that broadcasts to it.
        gamma: γ ≥ 0, a number, a tensor over the leading (slot) axes, or one weight per sample.
        temperature: T > 0 of the second term, a number or a tensor over the slot axes.

    Returns:
        Loss per sample, [..., B], in float32, or float64 where an input is.
    """
    student, teacher = promote(student_logits, teacher_logits)
    label = class_mask(labels, student.shape[-1])
    log_p_label = log_target_and_rest(F.log_softmax(teacher, dim=-1), label)[..., 0]
    log_q_label = log_target_and_rest(F.log_softmax(student, dim=-1), label)[..., 0]
    t = over_samples(temperature, student)
    others = masked_log_softmax(teacher / t, label).exp() * masked_log_softmax(student / t, label)
    spread = others.sum(dim=-1)
    weight = per_sample(gamma, spread) * per_sample(temperature, spread) ** 2
    return -log_p_label.exp() * log_q_label - weight * spread
