"""Similarity-preserving distillation: samples that are alike for the teacher are to be alike for the student."""

from __future__ import annotations

from torch import Tensor

from kdsearch.features.common import for_each_sample
from kdsearch.features.common import promote
from kdsearch.features.common import unit


def similarity(student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
    """(1/B²) ‖G_s − G_t‖²_F, with G the Gram matrix F Fᵀ of the flattened features [B, D], each row at L2 norm 1.

    Tung, Mori: Similarity-Preserving Knowledge Distillation, arXiv 1907.09682; their weight is 3000. It belongs to the
    batch as a whole: each sample carries all of it, so that the mean is the paper's. A feature of zeros has a row of
    zeros.

    Args:
        student_feature: [B, ...], of any shape.
        teacher_feature: [B, ...], of any shape.

    Returns:
        Loss per sample, [B], in float32, or float64 where an input is.
    """
    student, teacher = promote(student_feature, teacher_feature)
    loss = (_similarities(student) - _similarities(teacher)).square().mean()
    return for_each_sample(loss, student)


def _similarities(features: Tensor) -> Tensor:
    rows = features.flatten(1)
    return unit(rows @ rows.T)
