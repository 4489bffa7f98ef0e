"""Metrics: pure functions on a classifier's outputs, each with its formula and source. Importing this imports torch."""

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
