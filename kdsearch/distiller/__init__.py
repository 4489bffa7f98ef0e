"""Distiller: trains one student from labels and a teacher's signals. Importing this package imports torch."""

from __future__ import annotations

from kdsearch.distiller.confirmation import confirmation_metrics
from kdsearch.distiller.distiller import DEFAULT_STEPS
from kdsearch.distiller.distiller import Distiller
from kdsearch.distiller.distiller import NonFiniteLossError
from kdsearch.distiller.distiller import steps_per_epoch
from kdsearch.distiller.distiller import total_steps
from kdsearch.distiller.evaluation import evaluate
from kdsearch.distiller.evaluation import predict
from kdsearch.distiller.run import DistillResult
from kdsearch.distiller.run import distill
from kdsearch.distiller.run import new_distiller
from kdsearch.distiller.schedules import evaluation_steps
from kdsearch.distiller.sets import EvaluationSet
from kdsearch.distiller.sets import TrainingSet
from kdsearch.distiller.tasks import CLASSIFICATION
from kdsearch.distiller.tasks import Classification
from kdsearch.distiller.tasks import Task
from kdsearch.distiller.threads import suited_threads
from kdsearch.distiller.views import with_bank

__all__ = [
    "CLASSIFICATION",
    "DEFAULT_STEPS",
    "Classification",
    "DistillResult",
    "Distiller",
    "EvaluationSet",
    "NonFiniteLossError",
    "Task",
    "TrainingSet",
    "confirmation_metrics",
    "distill",
    "evaluate",
    "evaluation_steps",
    "new_distiller",
    "predict",
    "steps_per_epoch",
    "suited_threads",
    "total_steps",
    "with_bank",
]
