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

    def final_metrics(self, outputs: Tensor, targets: Tensor, teacher_outputs: Tensor | None = None) -> dict[str, float]:
        """`balanced_accuracy` (mean recall of the classes present), `ece` (expected calibration error of the confidence,
        15 equal bins; Guo et al., arXiv 1706.04599) and, with a teacher, `agreement` (fraction of equal predictions)."""
        from torchmetrics.functional.classification import multiclass_calibration_error
        from torchmetrics.functional.classification import multiclass_recall

        class_count = outputs.shape[-1]
        recall = multiclass_recall(outputs, targets, class_count, average="none", validate_args=False)
        present = torch.bincount(targets, minlength=class_count) > 0
        ece = multiclass_calibration_error(
            outputs.float().softmax(dim=-1), targets, class_count, n_bins=CALIBRATION_BINS, validate_args=False
        )
        metrics = {"balanced_accuracy": recall[present].double().mean().item(), "ece": ece.item()}
        if teacher_outputs is not None:
            same = outputs.argmax(dim=-1) == teacher_outputs.argmax(dim=-1)
            metrics["agreement"] = same.double().mean().item()
        return metrics


CLASSIFICATION = Classification()
