"""Attention transfer: the student is to be active where in the image the teacher is."""

from __future__ import annotations

from torch import Tensor

from kdsearch.features.common import promote
from kdsearch.features.common import same_size
from kdsearch.features.common import unit


def attention(student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
    """(1/HW) Σ_hw (a_s − a_t)², with a = m/‖m‖₂ and m_hw = (1/C) Σ_c f_chw² of each sample's map.

    Zagoruyko, Komodakis: Paying More Attention to Attention, arXiv 1612.03928, with p = 2. It is the mean over
    positions of the authors' code, to which the weight of 1000 belongs, and not the paper's norm ‖a_s − a_t‖₂. Maps
    that differ in size are average-pooled to the smaller height and width. A map of zeros has the attention 0.

    Args:
        student_feature: maps [B, C_s, H_s, W_s].
        teacher_feature: maps [B, C_t, H_t, W_t].

    Returns:
        Loss per sample, [B], in float32, or float64 where an input is.
    """
    student, teacher = same_size(*promote(student_feature, teacher_feature))
    return (_attention_map(student) - _attention_map(teacher)).square().mean(dim=-1)


def _attention_map(feature_map: Tensor) -> Tensor:
    return unit(feature_map.square().mean(dim=1).flatten(1))
