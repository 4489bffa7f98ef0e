"""Decoupled knowledge distillation: the target's probability and the spread over the other classes, apart."""

from __future__ import annotations

from torch import Tensor

from kdsearch.objectives.common import class_mask
from kdsearch.objectives.common import kl_divergence
from kdsearch.objectives.common import log_target_and_rest
from kdsearch.objectives.common import masked_log_softmax
from kdsearch.objectives.common import per_sample
from kdsearch.objectives.common import warmup_factor
from kdsearch.objectives.kl import softened


def dkd(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    temperature: float | Tensor = 4.0,
    target_weight: float | Tensor = 1.0,
    nontarget_weight: float | Tensor = 8.0,
    warmup: float | Tensor = 0.0,
    standardize: bool | Tensor = False,
    progress: float = 1.0,
) -> Tensor:
    """w · T² · [α·KL(b_p‖b_q) + β·KL(p̂‖q̂)], with p = softmax(teacher/T), q = softmax(student/T) and the label y.

    Zhao, Cui, Song, Qiu, Liang: Decoupled Knowledge Distillation, arXiv 2203.08679. b = (p_y, 1 − p_y) is the target
    against the rest, p̂ the softmax over the classes other than y. With α = 1 and β = 1 − p_y of each sample it is `kl`.
    w = min(progress / warmup, 1) grows over the first part of training (in the paper, 20 of 240 epochs).

    Args:
        student_logits: [..., B, C].
        teacher_logits: [..., B, C], or a shape that broadcasts to it.
        labels: class indices [..., B], or a shape that broadcasts to it.
        temperature: T > 0, a number or a tensor over the leading (slot) axes.
        target_weight: α ≥ 0, a number, a tensor over the slot axes, or one weight per sample.
        nontarget_weight: β ≥ 0, likewise; 8 on CIFAR-100, 0.5 on ImageNet.
        warmup: the share of training over which the loss grows to its full weight, in [0, 1].
        standardize: whether both logits are standardised over the classes first (Sun et al., arXiv 2403.01427).
        progress: the share of training that is over, in [0, 1].

    Returns:
        Loss per sample, [..., B], in float32, or float64 where an input is.
    """
    log_p, log_q = softened(student_logits, teacher_logits, temperature, standardize)
    target = class_mask(labels, log_q.shape[-1])
    binary = kl_divergence(log_target_and_rest(log_p, target), log_target_and_rest(log_q, target))
    others = kl_divergence(masked_log_softmax(log_p, target), masked_log_softmax(log_q, target))
    loss = per_sample(target_weight, binary) * binary + per_sample(nontarget_weight, others) * others
    return loss * per_sample(temperature, loss) ** 2 * warmup_factor(progress, warmup, loss)
