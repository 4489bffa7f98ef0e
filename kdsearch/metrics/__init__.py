"""Metrics: pure functions on a classifier's outputs, each with its formula and source. Importing this imports torch.

What every trial needs is plain torch: torchmetrics and the torchvision it brings would take each worker process 2.3 s
to import. The tests compare with it.
"""

from __future__ import annotations

from kdsearch.metrics.calibration import brier_score
from kdsearch.metrics.calibration import calibration_error
from kdsearch.metrics.classes import balanced_accuracy
from kdsearch.metrics.classes import class_accuracies
from kdsearch.metrics.classes import worst_class_gap
from kdsearch.metrics.fidelity import fidelity
from kdsearch.metrics.membership import membership_auc
from kdsearch.metrics.variance import loss_variances

__all__ = [
    "balanced_accuracy",
    "brier_score",
    "calibration_error",
    "class_accuracies",
    "fidelity",
    "loss_variances",
    "membership_auc",
    "worst_class_gap",
]
