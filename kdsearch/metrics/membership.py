"""Whether a student's losses give away what it was trained on."""

from __future__ import annotations

import torch
from torch import Tensor


def membership_auc(member_losses: Tensor, other_losses: Tensor) -> float:
    """Area under the ROC curve of the attack that takes samples of small loss for training samples (Yeom et al.,
    arXiv 1709.01604).

    Args:
        member_losses: of the samples that the student was trained on, [n].
        other_losses: of fresh samples of the same distribution, [m].

    Returns:
        The probability that a training sample has a smaller loss than a fresh one (ties count half): 0.5 tells nothing,
        1 tells all. It does not depend on n and m, though with few of either it is noisy. A loss that is not a number
        counts as the largest.
    """
    # Not torchmetrics: its AUROC puts scores outside [0, 1] through a sigmoid, where small losses become equal.
    from sklearn.metrics import roc_auc_score

    losses = torch.cat([member_losses, other_losses]).double()
    losses = losses.nan_to_num(nan=torch.finfo(torch.float64).max)
    is_member = torch.arange(len(losses)) < len(member_losses)
    return float(roc_auc_score(is_member.numpy(), -losses.cpu().numpy()))
