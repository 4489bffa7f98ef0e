"""Hints: the student's feature, through a trained regressor, is to equal the teacher's."""

from __future__ import annotations

from torch import Tensor
from torch import nn

from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.features.common import promote
from kdsearch.features.common import same_size


def fitnet(student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
    """Mean over the feature's elements of (r(f_s) − f_t)², with r(f_s) the regressed feature of the student.

    Romero, Ballas, Kahou, Chassang, Gatta, Bengio: FitNets: Hints for Thin Deep Nets, arXiv 1412.6550; in place of the
    paper's ½‖·‖² the mean, as in the code behind the usual weight of 100. Maps that differ in size are average-pooled
    to the smaller height and width.

    Args:
        student_feature: [B, ...], from `regressor`: of the teacher's shape, or maps with as many channels.
        teacher_feature: [B, ...].

    Returns:
        Loss per sample, [B], in float32, or float64 where an input is.
    """
    student, teacher = promote(student_feature, teacher_feature)
    if student.ndim == teacher.ndim == 4:
        student, teacher = same_size(student, teacher)
    if student.shape != teacher.shape:
        shapes = f"the student's is {list(student.shape)} and the teacher's {list(teacher.shape)}"
        raise ValueError(f"fitnet needs features of one shape; {shapes}")
    return (student - teacher).square().flatten(1).mean(dim=-1)


def regressor(student_shape: tuple[int, ...], teacher_shape: tuple[int, ...]) -> nn.Module:
    """The module that brings a student's feature to the teacher's width, initialised from torch's random state.

    A 1x1 convolution for maps [C, H, W], whatever their sizes; a linear layer for vectors [D] and sequences [T, D].

    Args:
        student_shape: of one sample.
        teacher_shape: of one sample.

    Raises:
        InputError: the features are not of one kind, or sequences differ in length.
    """
    if len(student_shape) == len(teacher_shape) == 3:
        return nn.Conv2d(student_shape[0], teacher_shape[0], kernel_size=1)
    if len(student_shape) == len(teacher_shape) in (1, 2) and student_shape[:-1] == teacher_shape[:-1]:
        return nn.Linear(student_shape[-1], teacher_shape[-1])
    kinds = "two vectors [D], two maps [C,H,W], or two sequences [T,D] of one length"
    shapes = f"the student's feature is {list(student_shape)} and the teacher's {list(teacher_shape)}"
    raise InputError([Problem("feature_objective", "fitnet", f"needs {kinds}; {shapes}")])
