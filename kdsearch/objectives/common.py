"""What losses on logits share: a safe precision, hyperparameters per slot, divergences in log space."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

STANDARD_DEVIATION_FLOOR = 1e-7


def promote(student_logits: Tensor, teacher_logits: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one type of at least float32: exponentials and their sums are wrong in half precision."""
    if student_logits.shape[-1] != teacher_logits.shape[-1]:
        counts = f"the student has {student_logits.shape[-1]} classes and the teacher {teacher_logits.shape[-1]}"
        raise ValueError(f"{counts}; they must agree")
    dtype = torch.promote_types(torch.promote_types(student_logits.dtype, teacher_logits.dtype), torch.float32)
    return student_logits.to(dtype), teacher_logits.to(dtype)


def over_samples(value: float | Tensor, logits: Tensor) -> float | Tensor:
    """`value` ready to meet `logits` [..., B, C]: a tensor over the leading (slot) axes gets axes of size 1 behind."""
    if not isinstance(value, Tensor):
        return float(value)
    value = _without_ones_behind(value).to(logits.dtype)
    if value.ndim > logits.ndim - 2:
        shapes = f"a hyperparameter of shape {tuple(value.shape)} and logits of {tuple(logits.shape)}"
        raise ValueError(f"{shapes}: it may have the slot axes only")
    return value.reshape(*value.shape, *([1] * (logits.ndim - value.ndim)))


def per_sample(value: float | Tensor, losses: Tensor) -> float | Tensor:
    """`value` ready to meet `losses` [..., B]: a number, a tensor over the slot axes, or one value for each sample."""
    if not isinstance(value, Tensor):
        return float(value)
    value = _without_ones_behind(value).to(losses.dtype)
    if value.ndim > losses.ndim:
        shapes = f"a hyperparameter of shape {tuple(value.shape)} and losses of {tuple(losses.shape)}"
        raise ValueError(f"{shapes}: it may have the slot axes and that of samples only")
    return value.reshape(*value.shape, *([1] * (losses.ndim - value.ndim)))


def _without_ones_behind(value: Tensor) -> Tensor:
    while value.ndim and value.shape[-1] == 1:
        value = value.squeeze(-1)
    return value


def standardized(student: Tensor, teacher: Tensor, switch: bool | Tensor) -> tuple[Tensor, Tensor]:
    """Both logits, where `switch` is on as (z − mean) / (std + 1e-7) over the classes, with the unbiased deviation.

    Sun, Ren, Li, Wang, Cao: Logit Standardization in Knowledge Distillation, arXiv 2403.01427. The student then matches
    the shape of the teacher's logits and is free in their shift and scale.

    Args:
        student: [..., B, C], in at least float32.
        teacher: [..., B, C], or a shape that broadcasts to it.
        switch: on or off, for all or over the leading (slot) axes.
    """
    if isinstance(switch, Tensor):
        on = torch.as_tensor(over_samples(switch, student)) > 0
        return torch.where(on, _z_scores(student), student), torch.where(on, _z_scores(teacher), teacher)
    return (_z_scores(student), _z_scores(teacher)) if switch else (student, teacher)


def _z_scores(logits: Tensor) -> Tensor:
    centred = logits - logits.mean(dim=-1, keepdim=True)
    # A norm, because the gradient of `std` is not finite where all logits are equal.
    deviation = torch.linalg.vector_norm(centred, dim=-1, keepdim=True) / math.sqrt(max(logits.shape[-1] - 1, 1))
    return centred / (deviation + STANDARD_DEVIATION_FLOOR)


def kl_divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p‖q) = Σ_c p_c (log p_c − log q_c) over the last axis."""
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=-1)


def class_mask(labels: Tensor, class_count: int) -> Tensor:
    """True at each label's class: [..., B] → [..., B, C]."""
    return labels.unsqueeze(-1) == torch.arange(class_count, device=labels.device)


def masked_log_softmax(logits: Tensor, left_out: Tensor) -> Tensor:
    """Log-probabilities among the classes that are not `left_out`; those that are get p = 0 and a finite logarithm.

    Where all classes are left out the answer is uniform whatever the logits, so that a divergence is 0.
    """
    return F.log_softmax(_masked(logits, left_out), dim=-1)


def log_target_and_rest(log_probabilities: Tensor, target: Tensor) -> Tensor:
    """(log p_target, log Σ of the others): [..., C] and a mask with one class per row → [..., 2]."""
    log_target = torch.where(target, log_probabilities, 0).sum(dim=-1)
    log_rest = torch.logsumexp(_masked(log_probabilities, target), dim=-1)
    return torch.stack([log_target, log_rest], dim=-1)


def _masked(values: Tensor, left_out: Tensor) -> Tensor:
    # The lowest finite number: with −inf, rows without any class would be NaN.
    return values.masked_fill(left_out, torch.finfo(values.dtype).min)


def warmup_factor(progress: float, warmup: float | Tensor, losses: Tensor) -> float | Tensor:
    """min(progress / warmup, 1), ready to meet `losses` [..., B]; 1 without a warm-up."""
    if not 0 <= progress <= 1:
        raise ValueError(f"progress={progress}: must be >= 0 and <= 1")
    share = per_sample(warmup, losses)
    if isinstance(share, Tensor):
        return torch.where(share > progress, progress / share, 1.0)
    return progress / share if share > progress else 1.0
