"""One trial in a worker: its students, its checkpoints, and how it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.config.schema import ModelConfig
from kdsearch.ledger.ledger import TrialResult
from kdsearch.ledger.records import Point
from kdsearch.ledger.records import Reason
from kdsearch.ledger.records import TrialState
from kdsearch.outage import AwayError
from kdsearch.search.board import BoardOutage
from kdsearch.search.checkpoints import CheckpointStore
from kdsearch.search.pack import Judgement
from kdsearch.search.pack import Outcome
from kdsearch.search.pack import Slot
from kdsearch.search.pack import failed
from kdsearch.search.scratch import scratch_folder
from kdsearch.search.shared import StopPoll
from kdsearch.search.shared import WorkerContext
from kdsearch.search.shared import lesson_of
from kdsearch.search.shared import student_cost
from kdsearch.search.shared import test_set_of
from kdsearch.search.strategy import DECISION_STEPS
from kdsearch.seeds import derive_seed
from kdsearch.storage import LocalStorage
from kdsearch.storage import is_storage_away
from kdsearch.storage import open_storage

if TYPE_CHECKING:
    import torch

    from kdsearch.distiller import Distiller
    from kdsearch.teacher import Lesson


logger = logging.getLogger(__name__)


class StorageError(Exception):
    """The storage refuses to give the trial's checkpoint: no permission, no such bucket."""


class SlotRun:
    """One trial: a student for each of its replicates."""

    def __init__(
        self, slot: Slot, attempt: int, context: WorkerContext, devices: Sequence[torch.device], stopping: StopPoll
    ) -> None:
        """`devices`: the first has the data and the student; others take their share of its batches."""
        self.slot = slot
        self.distillers: list[Distiller] = []
        """One per replicate, once it is prepared."""
        self._context = context
        self._stopping = stopping
        self._device, *self._beside = devices
        spool = LocalStorage(scratch_folder(context.uid) / "spool")
        self._checkpoints = CheckpointStore(open_storage(context.storage), spool, context.sweep, attempt, slot.sending)
        self._storage = BoardOutage(context.board, stopping)
        self._lesson: Lesson | None = None

    @property
    def step(self) -> int:
        return self.distillers[0].step

    @property
    def evaluation_steps(self) -> list[int]:
        return self.distillers[0].evaluation_steps

    def prepare(self) -> bool:
        """Make the students, as they were at the newest checkpoint where there is one.

        False when it is to be suspended before the storage answers.

        Raises:
            StorageError: the storage refuses.
        """
        from kdsearch.distiller import new_distiller

        context, slot = self._context, self.slot
        try:
            # What the teacher says may have to be read from the storage.
            lesson = self._storage.insist(
                lambda: lesson_of(context.data, slot.recipe.source, slot.sample_count, slot.subset_seed, self._device),
                is_storage_away,
            )
        except AwayError:
            return False
        self._lesson = lesson
        self.distillers = [
            new_distiller(
                self._student,
                slot.recipe,
                context.training,
                lesson.data,
                seed=seed,
                device=self._device,
                teacher=lesson.teacher,
                layer=context.student_layer,
                beside=self._beside,
            )
            for seed in self._seeds()
        ]
        return self._restore()

    def save(self) -> None:
        """Write a checkpoint."""
        state = {"replicates": [distiller.state_dict() for distiller in self.distillers]}
        error = self._checkpoints.save(self.slot.key, self.step, state)
        if error is None:
            self._storage.came_back()
        else:
            self._storage.went_away(error)

    def judgement(self, step: int) -> Judgement | None:
        """What is asked after the evaluation at `step`, if that is a decision point of a trial that is judged."""
        if not self.slot.judged:
            return None
        decision = _decisions(self.evaluation_steps).get(step)
        return None if decision is None else Judgement(self.slot.key, decision, self._value(step))

    def suspended(self) -> Outcome:
        """The end for now; it has been saved.

        Raises:
            NodeLeaving: not the sweep stops, but the node is about to be taken away.
        """
        self._stopping.check_stays()
        return self._outcome(None)

    def pruned(self, step: int) -> Outcome:
        return self._outcome(TrialResult(TrialState.PRUNED, self._value(step), self._metrics()))

    def failed(self, reason: Reason, error: str) -> Outcome:
        return self._outcome(failed(reason, error))

    def completed(self) -> Outcome:
        """The end of the training; suspended when the sweep stops before the storage has taken the student."""
        assert self._lesson is not None
        if self.slot.on_test and not self._keep(self._lesson):
            self.save()
            return self.suspended()
        metrics = self._metrics() | student_cost(self._student, self._lesson.data)
        if self.slot.on_test:
            metrics |= self._test_metrics(self._lesson)
        return self._outcome(TrialResult(TrialState.COMPLETE, self._value(self.evaluation_steps[-1]), metrics))

    @property
    def _student(self) -> ModelConfig:
        return self._context.students[self.slot.recipe.student]

    def _seeds(self) -> list[int]:
        slot = self.slot
        return [slot.seed if r == 0 else derive_seed(slot.seed, "replicate", r) for r in range(slot.replicates)]

    def _restore(self) -> bool:
        try:
            state = self._storage.insist(self._load, is_storage_away)
        except AwayError:
            return False
        if state is not None:
            for distiller, saved in zip(self.distillers, state["replicates"], strict=True):
                distiller.load_state_dict(saved)
        return True

    def _load(self) -> dict[str, Any] | None:
        try:
            return self._checkpoints.load(self.slot.key)
        except Exception as error:
            if is_storage_away(error):
                raise
            raise StorageError(f"{type(error).__name__}: {error}") from error

    def _keep(self, lesson: Lesson) -> bool:
        """Keep the student; False when the sweep stops before the storage answers.

        A storage that refuses, or a network whose state is not tensors alone, costs the student and not the trial.
        """
        from kdsearch.students import Description
        from kdsearch.students import KeptStudent
        from kdsearch.students import StudentStore

        data = lesson.data
        made_of = Description.of(self._student, data.input_shape, data.class_count, data.vocabulary_size)
        store = StudentStore(open_storage(self._context.storage), self._context.sweep, self._context.uid)
        try:
            student = KeptStudent.of(self.slot.key, self._context.uid, made_of, self.distillers[0].model)
            self._storage.insist(lambda: store.save(student), is_storage_away)
        except AwayError:
            return False
        except Exception as error:
            logger.warning("the student of %s is not kept: %s: %s", self.slot.key, type(error).__name__, error)
        return True

    def _value(self, step: int) -> float:
        """The search metric at the evaluation after `step`."""
        return self._series()[self.evaluation_steps.index(step)].metrics[self._context.metric]

    def _series(self) -> list[Point]:
        """One point per evaluation, each the mean over the replicates."""
        return [_mean_point(points) for points in zip(*(d.series for d in self.distillers), strict=False)]

    def _metrics(self) -> dict[str, float]:
        return dict(self._series()[-1].metrics)

    def _test_metrics(self, lesson: Lesson) -> dict[str, float]:
        from kdsearch.distiller import confirmation_metrics
        from kdsearch.distiller import evaluate

        student, test_set = self.distillers[0].model, test_set_of(self._context.test, self.slot, self._device)
        scores = {f"test_{name}": value for name, value in evaluate(student, test_set).items()}
        return scores | confirmation_metrics(student, lesson.data, test_set, seed=self.slot.seed)

    def discard_checkpoints(self) -> None:
        """The ledger has its result."""
        self._checkpoints.remove(self.slot.key)

    def _outcome(self, result: TrialResult | None) -> Outcome:
        return Outcome(self.slot.key, result, tuple(self._series()) if self.distillers else ())


def _decisions(steps: list[int]) -> dict[int, int]:
    """Evaluation step → decision step, for the first evaluation after each of the shares in DECISION_STEPS."""
    total = steps[-1]
    decisions: dict[int, int] = {}
    for share, decision in DECISION_STEPS.items():
        step = next(step for step in steps if step >= share * total)
        if step < total:
            decisions[step] = decision
    return decisions


def _mean_point(points: Sequence[Point]) -> Point:
    first = points[0]
    if len(points) == 1:
        return first
    names = first.metrics.keys()
    means = {name: sum(point.metrics[name] for point in points) / len(points) for name in names}
    return Point(first.epoch, first.time, means)


class Checkpointing:
    """When the next checkpoints are due."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.start()

    def start(self) -> None:
        """They have just been written, or training has just begun."""
        self._next = time.monotonic() + self._seconds

    def is_due(self) -> bool:
        return time.monotonic() > self._next
