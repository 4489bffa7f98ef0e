"""What losses on features share: a safe precision, directions, and centring that is exact where nothing differs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

ROUNDING = 16
"""A spread of less than this many units of rounding counts as none."""


def promote(student_feature: Tensor, teacher_feature: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one type of at least float32: sums of squares overflow and vanish in half precision."""
    if len(student_feature) != len(teacher_feature):
        counts = f"the student's feature has {len(student_feature)} samples and the teacher's {len(teacher_feature)}"
        raise ValueError(f"{counts}; they must agree")
    dtype = torch.promote_types(torch.promote_types(student_feature.dtype, teacher_feature.dtype), torch.float32)
    return student_feature.to(dtype), teacher_feature.to(dtype)


def same_size(student_map: Tensor, teacher_map: Tensor) -> tuple[Tensor, Tensor]:
    """Maps [B, C, H, W] of one height and width: the larger ones are average-pooled to the smaller."""
    height, width = (min(student_map.shape[axis], teacher_map.shape[axis]) for axis in (-2, -1))
    size = (height, width)
    return _pooled(student_map, size), _pooled(teacher_map, size)


def _pooled(feature_map: Tensor, size: tuple[int, int]) -> Tensor:
    return feature_map if feature_map.shape[-2:] == size else F.adaptive_avg_pool2d(feature_map, size)


def unit(vectors: Tensor) -> Tensor:
    """Vectors [..., D] at length 1; one that is 0 stays 0, with a gradient that is bounded."""
    length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    # Not `F.normalize`: its gradient at 0 is 1e12.
    return vectors / torch.where(length > 0, length, 1)


def centred(features: Tensor) -> Tensor:
    """Features [B, D] minus their mean over the batch; exactly 0 where they differ by no more than rounding."""
    difference = features - features.mean(dim=0)
    rounding = ROUNDING * torch.finfo(features.dtype).eps * torch.linalg.vector_norm(features.detach())
    return torch.where(torch.linalg.vector_norm(difference.detach()) > rounding, difference, 0)


def at_norm_one(features: Tensor) -> Tensor:
    """Features [B, D] divided by their Frobenius norm, for losses that ignore scale: their squares stay in range."""
    return unit(features.flatten()).view_as(features)


def for_each_sample(loss: Tensor, features: Tensor) -> Tensor:
    """The loss of a batch [] given to each of its samples: [B]."""
    return loss.expand(len(features))
