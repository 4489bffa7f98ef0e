"""What every loss on logits needs: a safe precision, and hyperparameters that differ between slots."""

from __future__ import annotations

import torch
from torch import Tensor


def promote(student_logits: Tensor, teacher_logits: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one type of at least float32: exponentials and their sums are wrong in half precision."""
    if student_logits.shape[-1] != teacher_logits.shape[-1]:
        counts = f"the student has {student_logits.shape[-1]} classes and the teacher {teacher_logits.shape[-1]}"
        raise ValueError(f"{counts}; they must agree")
    dtype = torch.promote_types(torch.promote_types(student_logits.dtype, teacher_logits.dtype), torch.float32)
    return student_logits.to(dtype), teacher_logits.to(dtype)


def over_samples(value: float | Tensor, logits: Tensor) -> float | Tensor:
    """`value` ready to meet `logits` [..., B, C]: a tensor over the leading (slot) axes gets axes of size 1 behind."""
    if not isinstance(value, Tensor) or value.ndim == 0:
        return float(value) if not isinstance(value, Tensor) else value.to(logits.dtype).reshape([1] * logits.ndim)
    if value.ndim > logits.ndim - 2:
        shapes = f"a hyperparameter of shape {tuple(value.shape)} and logits of {tuple(logits.shape)}"
        raise ValueError(f"{shapes}: it may have the slot axes only")
    return value.to(logits.dtype).reshape(*value.shape, *([1] * (logits.ndim - value.ndim)))
