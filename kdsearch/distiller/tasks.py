"""What a student learns: the loss on targets and the metrics."""

from __future__ import annotations

from typing import Protocol

import torch.nn.functional as F
from torch import Tensor

from kdsearch.metrics import balanced_accuracy
from kdsearch.metrics import brier_score
from kdsearch.metrics import calibration_error
from kdsearch.metrics import fidelity
from kdsearch.metrics import loss_variances
from kdsearch.metrics import worst_class_gap


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
        """Whatever a search may go by: `accuracy` (fraction), `balanced_accuracy` (mean accuracy of the classes that
        are there) and `nll` (nats per sample).
        """
        return {
            "accuracy": (outputs.argmax(dim=-1) == targets).double().mean().item(),
            "balanced_accuracy": balanced_accuracy(outputs, targets),
            "nll": F.cross_entropy(outputs.float(), targets).item(),
        }

    def final_metrics(
        self, outputs: Tensor, targets: Tensor, teacher_outputs: Tensor | None = None
    ) -> dict[str, float]:
        """`brier`, `ece` (expected calibration error), `worst_class_gap` (mean - worst class accuracy) and, with a
        teacher, `agreement`, `hellinger`, `kl_to_teacher`, `label_loss_variance` and `teacher_loss_variance`; see
        `kdsearch.metrics`.
        """
        metrics = {
            "brier": brier_score(outputs, targets),
            "ece": calibration_error(outputs, targets),
            "worst_class_gap": worst_class_gap(outputs, targets),
        }
        if teacher_outputs is None:
            return metrics
        return metrics | fidelity(outputs, teacher_outputs) | loss_variances(outputs, targets, teacher_outputs)


CLASSIFICATION = Classification()
