"""Distances between logits."""

from __future__ import annotations

from torch import Tensor

from kdsearch.objectives.common import promote


def mse(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor | None = None) -> Tensor:
    """(1/C) Σ_c (z_c − v_c)² between student logits z and teacher logits v.

    Kim, Oh, Kim, Cho, Yun: Comparing Kullback-Leibler Divergence and Mean Squared Error Loss in Knowledge Distillation,
    arXiv 2105.08919.

    Args:
        student_logits: [..., B, C].
        teacher_logits: [..., B, C], or a shape that broadcasts to it.
        labels: not used.

    Returns:
        Loss per sample, [..., B], in float32, or float64 where an input is.
    """
    student, teacher = promote(student_logits, teacher_logits)
    return (student - teacher).square().mean(dim=-1)


def l1(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor | None = None) -> Tensor:
    """(1/C) Σ_c |z_c − v_c| between student logits z and teacher logits v.

    The logit matching of Ba, Caruana: Do Deep Nets Really Need to be Deep?, arXiv 1312.6184, with the absolute in place
    of the squared difference: single logits that are far off weigh less.

    Args, returns: as for `mse`.
    """
    student, teacher = promote(student_logits, teacher_logits)
    return (student - teacher).abs().mean(dim=-1)
