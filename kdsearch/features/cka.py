"""Centred kernel alignment: the student's features are to be the teacher's up to rotation, shift and scale."""

from __future__ import annotations

from torch import Tensor

from kdsearch.features.common import at_norm_one
from kdsearch.features.common import centred
from kdsearch.features.common import for_each_sample
from kdsearch.features.common import promote
from kdsearch.features.common import unit


def cka(student_feature: Tensor, teacher_feature: Tensor, *, cosine_kernel: bool = False) -> Tensor:
    """1 − ⟨K, L⟩_F / (‖K‖_F ‖L‖_F), with K and L the Gram matrices of the centred, flattened features.

    Kornblith, Norouzi, Lee, Hinton: Similarity of Neural Network Representations Revisited, arXiv 1905.00414, with
    their linear kernel (biased HSIC). It does not see orthogonal transformations, shifts, and a common scale of the
    features, and compares features of different widths. It belongs to the batch as a whole: each sample carries all of
    it. Features that are equal for all samples (a batch of one) have no alignment: the loss is 1.

    Args:
        student_feature: [B, ...], of any shape.
        teacher_feature: [B, ...], of any shape.
        cosine_kernel: whether features are brought to length 1 before they are centred, so that the kernel is the
            cosine of their angle.

    Returns:
        Loss per sample, [B], in [0, 1], in float32, or float64 where an input is.
    """
    student, teacher = promote(student_feature, teacher_feature)
    alignment = (_kernel(student, cosine_kernel) * _kernel(teacher, cosine_kernel)).sum()
    return for_each_sample(1 - alignment, student)


def _kernel(features: Tensor, cosine: bool) -> Tensor:
    """The centred kernel as a vector [B²] of length 1, or 0."""
    rows = features.flatten(1)
    rows = at_norm_one(centred(unit(rows) if cosine else rows))
    return unit((rows @ rows.T).flatten())
