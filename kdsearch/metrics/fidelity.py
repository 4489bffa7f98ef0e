"""How far a student does as its teacher does; a student may be accurate without (Stanton et al., arXiv 2106.05945)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import kl_div

from kdsearch.objectives.common import promote


def fidelity(outputs: Tensor, teacher_outputs: Tensor) -> dict[str, float]:
    """Agreement and distances between p = softmax(teacher_outputs) and q = softmax(outputs), at temperature 1.

    Args:
        outputs: the student's logits [B, C], C > 1.
        teacher_outputs: logits for the same samples, [B, C].

    Returns:
        `agreement`: the fraction of samples on which both predict the same class; `hellinger`: the mean Hellinger
        distance √(½ Σ_c (√p_c - √q_c)²), in [0, 1]; `kl_to_teacher`: the mean KL(p‖q) = Σ_c p_c log(p_c / q_c), in
        nats.
    """
    log_student, log_teacher = (logits.log_softmax(dim=-1) for logits in promote(outputs, teacher_outputs))
    agree = outputs.argmax(dim=-1) == teacher_outputs.argmax(dim=-1)
    return {
        "agreement": agree.double().mean().item(),
        "hellinger": _hellinger_distance(log_student, log_teacher).mean().item(),
        "kl_to_teacher": kl_div(log_student, log_teacher, reduction="batchmean", log_target=True).item(),
    }


def _hellinger_distance(log_first: Tensor, log_second: Tensor) -> Tensor:
    difference = (log_first / 2).exp() - (log_second / 2).exp()
    return torch.linalg.vector_norm(difference, dim=-1) / math.sqrt(2)
