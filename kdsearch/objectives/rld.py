"""Refined logit distillation: DKD that does not teach the teacher's mistakes."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from kdsearch.objectives.common import class_mask
from kdsearch.objectives.common import kl_divergence
from kdsearch.objectives.common import log_target_and_rest
from kdsearch.objectives.common import masked_log_softmax
from kdsearch.objectives.common import over_samples
from kdsearch.objectives.common import per_sample
from kdsearch.objectives.common import promote
from kdsearch.objectives.common import standardized
from kdsearch.objectives.common import warmup_factor


def rld(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    temperature: float | Tensor = 4.0,
    target_temperature: float | Tensor = 1.0,
    target_weight: float | Tensor = 1.0,
    nontarget_weight: float | Tensor = 8.0,
    warmup: float | Tensor = 0.0,
    standardize: bool | Tensor = False,
    progress: float = 1.0,
) -> Tensor:
    """w · [α·T_a²·KL(b(v; argmax v)‖b(z; y)) + β·T²·KL(p̂‖q̂)] of student logits z and teacher logits v.

    Sun et al.: Knowledge Distillation with Refined Logits, arXiv 2408.07703.
    b(v; c) = (p_c, 1 − p_c) with p = softmax(v/T_a): the student is as sure of the label y as the teacher is of its own
    answer. p̂ and q̂ are softmax(v/T) and softmax(z/T) over the classes that the teacher ranks below y (v_c < v_y);
    without any, that term is 0. Where the teacher is right and T_a = T it is `dkd`; w is the same warm-up.

    Args:
        student_logits: [..., B, C].
        teacher_logits: [..., B, C], or a shape that broadcasts to it.
        labels: class indices [..., B], or a shape that broadcasts to it.
        temperature: T > 0, a number or a tensor over the leading (slot) axes.
        target_temperature: T_a > 0, likewise.
        target_weight: α ≥ 0, a number, a tensor over the slot axes, or one weight per sample.
        nontarget_weight: β ≥ 0, likewise; 8 on CIFAR-100, 0.5 on ImageNet.
        warmup: the share of training over which the loss grows to its full weight, in [0, 1].
        standardize: whether both logits are standardised over the classes first (Sun et al., arXiv 2403.01427).
        progress: the share of training that is over, in [0, 1].

    Returns:
        Loss per sample, [..., B], in float32, or float64 where an input is.
    """
    student, teacher = promote(student_logits, teacher_logits)
    student, teacher = standardized(student, teacher, standardize)
    label = class_mask(labels, student.shape[-1])
    sure = _sureness(student, teacher, label, target_temperature)
    below = _ranking_below(student, teacher, label, temperature)
    loss = per_sample(target_weight, sure) * sure + per_sample(nontarget_weight, below) * below
    return loss * warmup_factor(progress, warmup, loss)


def _sureness(student: Tensor, teacher: Tensor, label: Tensor, temperature: float | Tensor) -> Tensor:
    t = over_samples(temperature, student)
    answer = class_mask(teacher.argmax(dim=-1), teacher.shape[-1])
    log_p = log_target_and_rest(F.log_softmax(teacher / t, dim=-1), answer)
    log_q = log_target_and_rest(F.log_softmax(student / t, dim=-1), label)
    divergence = kl_divergence(log_p, log_q)
    return divergence * per_sample(temperature, divergence) ** 2


def _ranking_below(student: Tensor, teacher: Tensor, label: Tensor, temperature: float | Tensor) -> Tensor:
    t = over_samples(temperature, student)
    teacher_at_label = (teacher * label).sum(dim=-1, keepdim=True)
    left_out = teacher >= teacher_at_label
    divergence = kl_divergence(masked_log_softmax(teacher / t, left_out), masked_log_softmax(student / t, left_out))
    return divergence * per_sample(temperature, divergence) ** 2
