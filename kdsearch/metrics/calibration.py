"""How good a network's probabilities are, and whether its confidence is what its accuracy is."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CALIBRATION_BINS = 15


def calibration_error(outputs: Tensor, targets: Tensor) -> float:
    """Expected calibration error: mean |accuracy - confidence| over 15 equal bins of confidence, weighted by their
    samples (Guo et al., arXiv 1706.04599).

    Args:
        outputs: logits [B, C], C > 1.
        targets: class indices [B].
    """
    confidences, predicted = outputs.double().softmax(dim=-1).max(dim=-1)
    bins = (confidences * CALIBRATION_BINS).long().clamp(max=CALIBRATION_BINS - 1)
    # In each bin: right predictions less the sum of confidences.
    excess = torch.bincount(bins, (predicted == targets).double() - confidences, minlength=CALIBRATION_BINS)
    return (excess.abs().sum() / len(targets)).item()


def brier_score(outputs: Tensor, targets: Tensor) -> float:
    """Mean over samples of Σ_c (p_c - [c is the target])², in [0, 2]: a proper score, smallest for the true
    probabilities (Brier, 1950).

    Args:
        outputs: logits [B, C].
        targets: class indices [B].
    """
    p = outputs.double().softmax(dim=-1)
    return (p - F.one_hot(targets, outputs.shape[-1])).square().sum(dim=-1).mean().item()
