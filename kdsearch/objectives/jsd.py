"""The generalised Jensen-Shannon divergence: a way from one direction of KL to the other."""

from __future__ import annotations

import torch
from torch import Tensor

from kdsearch.objectives.common import per_sample
from kdsearch.objectives.kl import softened


def jsd(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor | None = None,
    *,
    beta: float | Tensor = 0.5,
    temperature: float | Tensor = 4.0,
    standardize: bool | Tensor = False,
) -> Tensor:
    """T² · [β·KL(p‖m) + (1−β)·KL(q‖m)] / (β(1−β)), with m = β·p + (1−β)·q, p = softmax(teacher/T), q of the student.

    Agarwal et al.: On-Policy Distillation of Language Models (GKD), arXiv 2306.13649, whose divergence vanishes at both
    ends of β. Divided by β(1−β) it tends to KL(p‖q) as β → 0 and to KL(q‖p) as β → 1, and is just that at the ends:
    β=0 is `kl`, β=1 is `reverse_kl`, and β=½ is four times the Jensen-Shannon divergence.

    Args:
        student_logits: [..., B, C].
        teacher_logits: [..., B, C], or a shape that broadcasts to it.
        labels: not used.
        beta: β in [0, 1], a number or a tensor over the leading (slot) axes.
        temperature: T > 0, a number or a tensor over the slot axes.
        standardize: whether both logits are standardised over the classes first (Sun et al., arXiv 2403.01427).

    Returns:
        Loss per sample, [..., B], in float32, or float64 where an input is.
    """
    log_p, log_q = softened(student_logits, teacher_logits, temperature, standardize)
    weight = beta if isinstance(beta, Tensor) else torch.full((), beta, dtype=log_q.dtype, device=log_q.device)
    share = per_sample(weight, log_q[..., 0])
    assert isinstance(share, Tensor)
    divergence = _to_mixture(log_p, log_q, 1 - share) + _to_mixture(log_q, log_p, share)
    return divergence * per_sample(temperature, divergence) ** 2


def _to_mixture(log_a: Tensor, log_b: Tensor, weight: Tensor) -> Tensor:
    """KL(a ‖ (1−w)·a + w·b) / w over the last axis, which tends to 0 as w → 0 and is KL(a‖b) at w = 1."""
    w = weight.unsqueeze(-1)
    log_ratio = log_b - log_a
    # log of mixture/a = (1−w) + w·b/a, which must be exact where it is near 0: its share of w is what is summed.
    near = torch.log1p(w * torch.expm1(log_ratio.clamp(-1, 1)))
    far = torch.logaddexp(torch.log1p(-w), torch.log(w) + log_ratio)
    log_mixture = torch.where(log_ratio.abs() < 1, near, far)
    terms = log_a.exp() * -log_mixture / torch.where(w > 0, w, 1)
    return terms.sum(dim=-1)
