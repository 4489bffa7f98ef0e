"""How good a network's probabilities are, and whether its confidence is what its accuracy is."""

from __future__ import annotations

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
    from torchmetrics.functional.classification import multiclass_calibration_error

    probabilities = outputs.float().softmax(dim=-1)
    error = multiclass_calibration_error(
        probabilities, targets, outputs.shape[-1], n_bins=CALIBRATION_BINS, validate_args=False
    )
    return error.item()


def brier_score(outputs: Tensor, targets: Tensor) -> float:
    """Mean over samples of Σ_c (p_c - [c is the target])², in [0, 2]: a proper score, smallest for the true
    probabilities (Brier, 1950).

    Args:
        outputs: logits [B, C].
        targets: class indices [B].
    """
    p = outputs.double().softmax(dim=-1)
    return (p - F.one_hot(targets, outputs.shape[-1])).square().sum(dim=-1).mean().item()
