"""How well a student does class by class."""

from __future__ import annotations

import torch
from torch import Tensor


def class_accuracies(outputs: Tensor, targets: Tensor) -> Tensor:
    """The fraction of each class's samples that are predicted right (its recall).

    Args:
        outputs: logits or probabilities, [B, C].
        targets: class indices, [B].

    Returns:
        [C], float64; NaN for a class without a sample.
    """
    class_count = outputs.shape[-1]
    members = torch.bincount(targets, minlength=class_count)
    hits = torch.bincount(targets[outputs.argmax(dim=-1) == targets], minlength=class_count)
    return hits.double() / members


def balanced_accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Mean accuracy of the classes that have a sample (Brodersen et al., 2010)."""
    return class_accuracies(outputs, targets).nanmean().item()


def worst_class_gap(outputs: Tensor, targets: Tensor) -> float:
    """Mean class accuracy - worst class accuracy, in [0, 1), over the classes that have a sample; 0 is even-handed.

    Distilled data widen what separates classes: A Comprehensive Study on Dataset Distillation, arXiv 2305.03355.
    """
    accuracies = class_accuracies(outputs, targets)
    present = accuracies[~accuracies.isnan()]
    return (present.mean() - present.min()).item()
