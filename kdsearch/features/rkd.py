"""Relational distillation: distances and angles between the samples of a batch are to be the teacher's."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from kdsearch.features.common import at_norm_one
from kdsearch.features.common import centred
from kdsearch.features.common import for_each_sample
from kdsearch.features.common import promote

CLOSEST = 1e-12
"""Two samples are the same if their squared distance is below this share of the largest squared length."""


def rkd(
    student_feature: Tensor, teacher_feature: Tensor, *, distance_weight: float = 25.0, angle_weight: float = 50.0
) -> Tensor:
    """λ_D · mean_ij h(d^s_ij, d^t_ij) + λ_A · mean_ijk h(c^s_ijk, c^t_ijk) of the flattened features.

    Park, Kim, Lu, Cho: Relational Knowledge Distillation, arXiv 1904.05068. d_ij = ‖f_i − f_j‖/μ with μ the mean of
    the distances that are positive; c_ijk is the cosine of the angle at f_i between f_j and f_k, 0 where two of these
    are the same; h is Huber's loss with δ = 1 (SmoothL1). As in the authors' code the means are over all B² pairs and
    B³ triplets, those with a sample twice among them. It belongs to the batch as a whole: each sample carries all of
    it, so that the mean is the paper's.

    Angles take time and memory in proportion to B³, whatever the features' width: 2 million numbers at B = 128, 134
    million at 512, several times over (70 ms a step at B = 128 on one CPU core). With an angle_weight of 0 they are not
    computed.

    Args:
        student_feature: [B, ...], of any shape.
        teacher_feature: [B, ...], of any shape.
        distance_weight: λ_D ≥ 0.
        angle_weight: λ_A ≥ 0.

    Returns:
        Loss per sample, [B], in float32, or float64 where an input is.
    """
    student, teacher = promote(student_feature, teacher_feature)
    gram_student, gram_teacher = _gram(student), _gram(teacher)
    distance_student, distance_teacher = _distances(gram_student), _distances(gram_teacher)
    loss = distance_weight * F.smooth_l1_loss(_at_mean_one(distance_student), _at_mean_one(distance_teacher))
    if angle_weight != 0:
        cosines_student = _cosines(gram_student, distance_student, student.dtype)
        cosines_teacher = _cosines(gram_teacher, distance_teacher, student.dtype)
        loss = loss + angle_weight * F.smooth_l1_loss(cosines_student, cosines_teacher)
    return for_each_sample(loss.to(student.dtype), student)


def _gram(features: Tensor) -> Tensor:
    # float64, because distances between close samples are small differences of large numbers here. The alternative,
    # the B² differences themselves, takes B²·D memory and B³·D time.
    rows = at_norm_one(centred(features.flatten(1).double()))
    return rows @ rows.T


def _distances(gram: Tensor) -> Tensor:
    lengths = gram.diagonal()
    squares = lengths[:, None] + lengths[None, :] - 2 * gram
    apart = squares > CLOSEST * lengths.max()
    return torch.where(apart, torch.where(apart, squares, 1).sqrt(), 0)


def _at_mean_one(distances: Tensor) -> Tensor:
    mean = distances.sum() / (distances > 0).sum().clamp(min=1)
    return distances / torch.where(mean > 0, mean, 1)


def _cosines(gram: Tensor, distances: Tensor, dtype: torch.dtype) -> Tensor:
    """[i, j, k]: ⟨f_j − f_i, f_k − f_i⟩ / (‖f_j − f_i‖ ‖f_k − f_i‖), or 0.

    The differences are taken in float64, what follows in `dtype`.
    """
    to_itself = gram.diagonal()[:, None] - gram
    products = gram[None, :, :] + (to_itself[:, :, None] - gram[:, None, :])
    inverse = torch.where(distances > 0, 1 / torch.where(distances > 0, distances, 1), 0).to(dtype)
    return products.to(dtype) * (inverse[:, :, None] * inverse[:, None, :])
