"""Distillation from a stronger teacher: outputs that correlate, within each sample and within each class."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from kdsearch.objectives.common import per_sample
from kdsearch.objectives.kl import softened


def dist(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor | None = None,
    *,
    inter_weight: float | Tensor = 1.0,
    intra_weight: float | Tensor = 1.0,
    temperature: float | Tensor = 1.0,
) -> Tensor:
    """T² · [β·(1 − ρ(q_i, p_i)) + γ·(1 − mean_c ρ(q_·c, p_·c))], with p = softmax(teacher/T), q of the student.

    Huang, You, Wang, Qian, Xu: Knowledge Distillation from A Stronger Teacher, arXiv 2205.10536. ρ is Pearson's
    correlation: of one sample's probabilities over the classes (inter), and of one class's over the batch (intra). The
    intra term belongs to the batch as a whole: each sample carries all of it, so that the mean is the paper's. ρ of
    something constant (a batch of one sample) counts as 0. T² is that of the authors' code, although the correlations
    do not shrink as T grows.

    Args:
        student_logits: [..., B, C].
        teacher_logits: [..., B, C], or a shape that broadcasts to it.
        labels: not used.
        inter_weight: β ≥ 0, a number or a tensor over the leading (slot) axes.
        intra_weight: γ ≥ 0, likewise.
        temperature: T > 0, likewise.

    Returns:
        Loss per sample, [..., B], in float32, or float64 where an input is.
    """
    log_p, log_q = softened(student_logits, teacher_logits, temperature, False)
    p, q = log_p.exp(), log_q.exp()
    inter = 1 - _correlation(q, p, dim=-1)
    intra = 1 - _correlation(q, p, dim=-2).mean(dim=-1, keepdim=True)
    loss = per_sample(inter_weight, inter) * inter + per_sample(intra_weight, inter) * intra
    return loss * per_sample(temperature, loss) ** 2


def _correlation(a: Tensor, b: Tensor, dim: int) -> Tensor:
    return F.cosine_similarity(a - a.mean(dim=dim, keepdim=True), b - b.mean(dim=dim, keepdim=True), dim=dim)
