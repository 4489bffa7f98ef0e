"""Several teachers as one: their probabilities are averaged, never their logits.

Σ_i w_i KL(p_i‖q) = KL(Σ_i w_i p_i‖q) + a constant, so the average of the probabilities at the student's temperature has
the gradient of all members' losses together; the average of logits has another.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor


def blend(member_logits: Tensor, weights: Tensor | None = None, temperature: float = 1.0) -> Tensor:
    """Logits v with softmax(v/T) = Σ_i w_i softmax(v_i/T): [..., M, C] → [..., C].

    Args:
        member_logits: [..., M, C].
        weights: [..., M], of members for each sample, summing to 1; None weighs all alike.
        temperature: T > 0.
    """
    log_p = F.log_softmax(member_logits / temperature, dim=-1)
    if weights is None:
        return temperature * (torch.logsumexp(log_p, dim=-2) - math.log(member_logits.shape[-2]))
    return temperature * torch.logsumexp(log_p + weights.clamp_min(1e-12).log().unsqueeze(-1), dim=-2)


def member_weights(member_logits: Tensor, targets: Tensor) -> Tensor:
    """How much each member is worth on each sample: [..., M, C] and targets [...] → [..., M], summing to 1.

    On a labelled sample in proportion to the probability that the member gives to the label; on others (target < 0) all
    alike. After Wu, Wu, Qi, Huang: Unified and Effective Ensemble Knowledge Distillation (UniKD), arXiv 2204.00548,
    which weighs teachers by their correctness; the formula is ours, since the paper's is not public in code.
    """
    right = _probability_of(targets, member_logits)
    weights = right / right.sum(dim=-1, keepdim=True).clamp_min(1e-12)
    return torch.where(_is_labelled(targets), weights, 1 / member_logits.shape[-2])


class SampleWeights:
    """How much each sample's soft loss is worth.

    On labelled samples the ensemble's correctness, its mean probability of the label; on others the members'
    disagreement, their Jensen-Shannon divergence (hard samples weigh more), as in UniKD (arXiv 2204.00548). Both are
    measured in units of their means over the training set, so that alpha keeps its meaning: a sample weighs the same in
    every batch, and whether it is asked about beforehand or in the loop.
    """

    def __init__(self, member_logits: Tensor, targets: Tensor) -> None:
        """Of the training set: [n, (V,) M, C] and targets [n, (V)]."""
        worth = _worth(member_logits, targets)
        self._means = [_mean(worth[part]) for part in (targets >= 0, targets < 0)]

    def __call__(self, member_logits: Tensor, targets: Tensor) -> Tensor:
        """[..., M, C] and targets [...] → [...]; over the training set their mean is 1, of each kind of sample."""
        mean_of_labelled, mean_of_others = self._means
        means = torch.where(targets >= 0, mean_of_labelled, mean_of_others)
        return torch.where(means > 0, _worth(member_logits, targets) / means, 1.0)


def _worth(member_logits: Tensor, targets: Tensor) -> Tensor:
    correctness = _probability_of(targets, member_logits).mean(dim=-1)
    return torch.where(targets >= 0, correctness, _disagreement(member_logits))


def _mean(values: Tensor) -> float:
    return values.mean().item() if len(values) else 0.0


def _is_labelled(targets: Tensor) -> Tensor:
    return (targets >= 0).unsqueeze(-1)


def _probability_of(targets: Tensor, member_logits: Tensor) -> Tensor:
    """[..., M]: each member's probability of the target; of class 0 where there is none."""
    index = targets.clamp_min(0)[..., None, None].expand(*member_logits.shape[:-1], 1)
    return member_logits.softmax(dim=-1).gather(-1, index).squeeze(-1)


def _disagreement(member_logits: Tensor) -> Tensor:
    """The members' generalised Jensen-Shannon divergence: entropy of the mean less the mean of the entropies."""
    p = member_logits.softmax(dim=-1)
    return (_entropy(p.mean(dim=-2)) - _entropy(p).mean(dim=-1)).clamp_min(0)


def _entropy(p: Tensor) -> Tensor:
    return torch.special.entr(p).sum(dim=-1)
