"""What a student learns: the loss on targets and the metrics."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

CALIBRATION_BINS = 15


class Task(Protocol):
    def target_loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """The mean loss of outputs [B, ...] on their targets [B, ...]."""

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        """The metrics of every evaluation, by plain name."""

    def final_metrics(self, outputs: Tensor, targets: Tensor, teacher_outputs: Tensor | None) -> dict[str, float]:
        """What is added once, at the end."""


class Classification:
    """One class per sample: outputs are logits [B, C], targets class indices [B]."""

    def target_loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Cross-entropy; label smoothing ε mixes in ε/C of every class (Szegedy et al., arXiv 1512.00567)."""
        return F.cross_entropy(outputs, targets, label_smoothing=label_smoothing)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        """`accuracy` (fraction) and `nll` (nats per sample)."""
        return {
            "accuracy": (outputs.argmax(dim=-1) == targets).double().mean().item(),
            "nll": F.cross_entropy(outputs.float(), targets).item(),
        }

    def final_metrics(
        self, outputs: Tensor, targets: Tensor, teacher_outputs: Tensor | None = None
    ) -> dict[str, float]:
        """`balanced_accuracy` (mean recall of the classes present), `ece` (expected calibration error, confidence in 15
        equal bins; Guo et al., arXiv 1706.04599) and, with a teacher, `agreement` (fraction of equal predictions).
        """
        metrics = {
            "balanced_accuracy": _balanced_accuracy(outputs, targets),
            "ece": _calibration_error(outputs, targets),
        }
        if teacher_outputs is not None:
            same = outputs.argmax(dim=-1) == teacher_outputs.argmax(dim=-1)
            metrics["agreement"] = same.double().mean().item()
        return metrics


CLASSIFICATION = Classification()


# These two are torchmetrics' multiclass_recall and multiclass_calibration_error; importing torchmetrics costs every
# worker two seconds (it imports torchvision), so the tests compare with it and the code does without.
def _balanced_accuracy(outputs: Tensor, targets: Tensor) -> float:
    class_count = outputs.shape[-1]
    members = torch.bincount(targets, minlength=class_count)
    hits = torch.bincount(targets[outputs.argmax(dim=-1) == targets], minlength=class_count)
    present = members > 0
    return (hits[present].double() / members[present]).mean().item()


def _calibration_error(outputs: Tensor, targets: Tensor) -> float:
    confidence, predicted = outputs.float().softmax(dim=-1).max(dim=-1)
    bins = (confidence * CALIBRATION_BINS).long().clamp(max=CALIBRATION_BINS - 1)
    excess = confidence.double() - (predicted == targets).double()
    sums = torch.zeros(CALIBRATION_BINS, dtype=torch.float64, device=outputs.device).index_add_(0, bins, excess)
    return sums.abs().sum().item() / len(targets)
