"""Trials of a finished sweep, trained again here, each on its own."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from kdsearch.config.compose import apply_overrides
from kdsearch.data import load_splits
from kdsearch.distiller import EvaluationSet
from kdsearch.distiller import confirmation_metrics
from kdsearch.distiller import distill
from kdsearch.ledger import TrialRecord
from kdsearch.search.prepare import SearchData
from kdsearch.search.shared import student_cost
from kdsearch.storage import open_storage
from kdsearch.sweep import Sweep
from kdsearch.teacher import LessonPlan
from kdsearch.teacher import find_teacher


class Alone:
    def __init__(self, sweep: Sweep) -> None:
        self._config = apply_overrides(sweep.record.config, []).config
        splits = load_splits(self._config.dataset, self._config.seed)
        teacher = find_teacher(self._config.teacher, splits, self._config.seed, open_storage(self._config.storage))
        assert teacher is not None
        answers: dict[str | None, NDArray[np.float32]] = {None: teacher.logits_of(splits.validation.ids)}
        self._data = SearchData(splits.without_test(), {None: teacher}, LessonPlan.of(self._config), answers)
        self._test = EvaluationSet.of(splits.test("confirmation"))

    def metrics(self, record: TrialRecord, seed: int) -> dict[str, float]:
        """The final metrics of the trial's recipe, trained with `seed`."""
        torch.set_num_threads(1)
        cpu = torch.device("cpu")
        lesson = self._data.lesson(
            record.recipe.source,
            sample_count=record.sample_count,
            subset_seed=record.subset_seed,
            device=cpu,
        )
        student, test_set = self._config.student, self._test
        result = distill(
            student,
            record.recipe,
            self._config.training,
            lesson.data,
            self._data.validation_set(record.recipe.teacher),
            seed=seed,
            teacher=lesson.teacher,
            test_set=test_set if record.confirms else None,
        )
        metrics = result.metrics | student_cost(student, lesson.data)
        if record.confirms:
            metrics |= confirmation_metrics(result.model, lesson.data, test_set, seed=record.seed)
        return metrics
