"""What runs in a worker process: one pack of trials, from its first step (or its checkpoint) to its outcome."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.config.schema import ModelConfig
from kdsearch.config.schema import TrainingConfig
from kdsearch.ledger.ledger import TrialResult
from kdsearch.ledger.records import Point
from kdsearch.ledger.records import Reason
from kdsearch.ledger.records import TrialState
from kdsearch.outage import AwayError
from kdsearch.recipe import Source
from kdsearch.search.board import BoardOutage
from kdsearch.search.checkpoints import CheckpointStore
from kdsearch.search.pack import Judgement
from kdsearch.search.pack import Outcome
from kdsearch.search.pack import Pack
from kdsearch.search.pack import Slot
from kdsearch.search.pack import encode_message
from kdsearch.search.pack import failed
from kdsearch.search.prepare import training_device
from kdsearch.search.scratch import scratch_folder
from kdsearch.search.strategy import DECISION_STEPS
from kdsearch.seeds import derive_seed
from kdsearch.storage import LocalStorage
from kdsearch.storage import is_storage_away
from kdsearch.storage import open_storage

if TYPE_CHECKING:
    import torch
    from ray import ObjectRef

    from kdsearch.distiller import Distiller
    from kdsearch.distiller import EvaluationSet
    from kdsearch.distiller import TrainingSet
    from kdsearch.search.board import BoardHandle
    from kdsearch.search.prepare import SearchData
    from kdsearch.search.prepare import TestData
    from kdsearch.teacher import Lesson

STOP_POLL_SECONDS = 1.0


class StorageError(Exception):
    """The storage refuses to give the trial's checkpoint: no permission, no such bucket."""


@dataclass(frozen=True)
class WorkerContext:
    """What every trial of an attempt shares; travels to each worker once, the data through Ray's object store."""

    sweep: str
    uid: str
    storage: str
    students: Mapping[str | None, ModelConfig]
    """By the name under which a recipe has it; None is the sweep's own."""
    training: TrainingConfig
    student_layer: str | None
    metric: str
    threads: int
    gpus: float
    checkpoint_seconds: float
    data: ObjectRef[SearchData]
    test: ObjectRef[TestData]
    board: BoardHandle


def run_pack(config: dict[str, Any], context: WorkerContext) -> None:
    """The function that Ray Tune calls: train every slot of the pack and report how each ended."""
    import torch
    from ray import tune

    torch.set_num_threads(context.threads)
    pack = Pack.decode(config["pack"])
    has_data = _wait_for_data(context)
    for slot in pack.slots:
        # Without data there is nothing wrong with the trial: the driver knows what is.
        outcome = SlotRun(slot, pack.attempt, context).run() if has_data else Outcome(slot.key, None)
        tune.report({"message": encode_message([outcome])})


def _wait_for_data(context: WorkerContext) -> bool:
    """Whether the data came; a trial may start before it is ready."""
    import ray
    from ray.exceptions import RayTaskError

    stopping = _StopPoll(context.board)
    while not ray.wait([context.data], timeout=STOP_POLL_SECONDS)[0]:
        if stopping():
            return False
    try:
        _fetch(context.data)
    except RayTaskError:
        return False
    return True


class SlotRun:
    """One trial in a worker: its replicates advance in lock-step from one evaluation to the next."""

    def __init__(self, slot: Slot, attempt: int, context: WorkerContext) -> None:
        self._slot = slot
        self._context = context
        spool = LocalStorage(scratch_folder(context.uid) / "spool")
        self._checkpoints = CheckpointStore(open_storage(context.storage), spool, context.sweep, attempt)
        self._next_checkpoint = time.monotonic() + context.checkpoint_seconds
        self._stopping = _StopPoll(context.board)
        self._storage = BoardOutage(context.board, self._stopping)
        self._distillers: list[Distiller] = []

    def run(self) -> Outcome:
        """Train, and say how it ended. What the trial's own code raises is its failure, not the worker's."""
        from ray.exceptions import RayActorError

        from kdsearch.distiller import NonFiniteLossError

        try:
            outcome = self._train()
        except RayActorError:
            # The driver's side is gone: nothing is wrong with the trial.
            raise
        except NonFiniteLossError as error:
            outcome = self._outcome(failed(Reason.NON_FINITE, str(error)))
        except StorageError as error:
            outcome = self._outcome(failed(Reason.STORAGE, str(error)))
        except Exception as error:
            reason = Reason.OUT_OF_MEMORY if _is_out_of_memory(error) else Reason.USER_CODE
            outcome = self._outcome(failed(reason, traceback.format_exc()))
        if outcome.result is not None:
            self._checkpoints.remove(self._slot.key)
        return outcome

    def _train(self) -> Outcome:
        from kdsearch.distiller import new_distiller

        context, slot = self._context, self._slot
        device = training_device(context.training.device, context.gpus)
        lesson = _lesson(
            context.data,
            slot.recipe.source,
            slot.sample_count,
            slot.subset_seed,
            device,
        )
        validation_set = _validation_set(context.data, slot.recipe.teacher, device)
        self._distillers = [
            new_distiller(
                self._student,
                slot.recipe,
                context.training,
                lesson.data,
                seed=seed,
                device=device,
                teacher=lesson.teacher,
                layer=context.student_layer,
            )
            for seed in self._seeds()
        ]
        if not self._restore():
            return self._outcome(None)
        steps = self._distillers[0].evaluation_steps
        decisions = _decisions(steps) if slot.judged else {}
        for step in steps:
            for distiller in self._distillers:
                if not self._advance(distiller, step):
                    self._save()
                    return self._outcome(None)
                if not (distiller.step > step or (distiller.step == step and distiller.is_evaluated)):
                    distiller.evaluate(validation_set)
            if step in decisions and self._is_pruned(decisions[step], step):
                return self._outcome(TrialResult(TrialState.PRUNED, self._value(step), self._metrics()))
        metrics = self._metrics() | student_cost(self._student, lesson.data)
        if slot.on_test:
            metrics |= self._test_metrics(lesson.data, device)
        return self._outcome(TrialResult(TrialState.COMPLETE, self._value(steps[-1]), metrics))

    @property
    def _student(self) -> ModelConfig:
        return self._context.students[self._slot.recipe.student]

    def _seeds(self) -> list[int]:
        slot = self._slot
        return [slot.seed if r == 0 else derive_seed(slot.seed, "replicate", r) for r in range(slot.replicates)]

    def _advance(self, distiller: Distiller, step: int) -> bool:
        """Train up to `step`, checkpointing when it is time; False when the sweep is stopping first."""
        while distiller.step < step:
            distiller.advance(step, self._must_pause)
            if self._stopping():
                return distiller.step >= step
            if self._must_checkpoint():
                self._save()
        return True

    def _must_pause(self) -> bool:
        return self._stopping() or self._must_checkpoint()

    def _must_checkpoint(self) -> bool:
        return time.monotonic() > self._next_checkpoint

    def _save(self) -> None:
        state = {"replicates": [distiller.state_dict() for distiller in self._distillers]}
        error = self._checkpoints.save(self._slot.key, self._distillers[0].step, state)
        if error is None:
            self._storage.came_back()
        else:
            self._storage.went_away(error)
        self._next_checkpoint = time.monotonic() + self._context.checkpoint_seconds

    def _restore(self) -> bool:
        """Go on from the newest checkpoint, if there is one; False when the sweep stops before the storage answers."""
        try:
            state = self._storage.insist(self._load, is_storage_away)
        except AwayError:
            return False
        if state is not None:
            for distiller, saved in zip(self._distillers, state["replicates"], strict=True):
                distiller.load_state_dict(saved)
        return True

    def _load(self) -> dict[str, Any] | None:
        try:
            return self._checkpoints.load(self._slot.key)
        except Exception as error:
            if is_storage_away(error):
                raise
            raise StorageError(f"{type(error).__name__}: {error}") from error

    def _is_pruned(self, decision: int, step: int) -> bool:
        import ray
        from ray import tune

        judgement = Judgement(self._slot.key, decision, self._value(step))
        tune.report({"message": encode_message([judgement])})
        return bool(ray.get(self._context.board.take_verdict.remote(judgement.key, decision)))

    def _value(self, step: int) -> float:
        """The search metric at the evaluation after `step`."""
        index = self._distillers[0].evaluation_steps.index(step)
        return self._series()[index].metrics[self._context.metric]

    def _series(self) -> list[Point]:
        """One point per evaluation, each the mean over the replicates."""
        return [_mean_point(points) for points in zip(*(d.series for d in self._distillers), strict=False)]

    def _metrics(self) -> dict[str, float]:
        return dict(self._series()[-1].metrics)

    def _test_metrics(self, training_set: TrainingSet, device: torch.device) -> dict[str, float]:
        from kdsearch.distiller import confirmation_metrics
        from kdsearch.distiller import evaluate

        student, test_set = self._distillers[0].model, _test_set(self._context.test, device)
        scores = {f"test_{name}": value for name, value in evaluate(student, test_set).items()}
        return scores | confirmation_metrics(student, training_set, test_set, seed=self._slot.seed)

    def _outcome(self, result: TrialResult | None) -> Outcome:
        return Outcome(self._slot.key, result, tuple(self._series()) if self._distillers else ())


def student_cost(student: ModelConfig, data: TrainingSet) -> dict[str, float]:
    """What the student costs, under the names of final metrics."""
    return _model_cost(student.model_dump_json(by_alias=True), data.input_shape, data.class_count, data.vocabulary_size)


class _StopPoll:
    """Whether the sweep is stopping; asks the board at most once a second."""

    def __init__(self, board: BoardHandle) -> None:
        self._board = board
        self._next = 0.0
        self._stopping = False

    def __call__(self) -> bool:
        if not self._stopping and time.monotonic() >= self._next:
            import ray

            self._stopping = bool(ray.get(self._board.stopping.remote()))
            self._next = time.monotonic() + STOP_POLL_SECONDS
        return self._stopping


def _decisions(steps: list[int]) -> dict[int, int]:
    """Evaluation step → decision step, for the first evaluation after each of the shares in DECISION_STEPS."""
    total = steps[-1]
    decisions: dict[int, int] = {}
    for share, decision in DECISION_STEPS.items():
        step = next(step for step in steps if step >= share * total)
        if step < total:
            decisions[step] = decision
    return decisions


def _mean_point(points: tuple[Point, ...]) -> Point:
    first = points[0]
    if len(points) == 1:
        return first
    names = first.metrics.keys()
    means = {name: sum(point.metrics[name] for point in points) / len(points) for name in names}
    return Point(first.epoch, first.time, means)


def _is_out_of_memory(error: Exception) -> bool:
    import torch

    return isinstance(error, torch.cuda.OutOfMemoryError | MemoryError)


# A worker keeps what it made for one trial for the next: the same subset is asked for by every trial of a study.


@lru_cache(maxsize=16)
def _model_cost(
    student: str, input_shape: tuple[int, ...], class_count: int, vocabulary_size: int | None
) -> dict[str, float]:
    from kdsearch.models import model_cost

    cost = model_cost(ModelConfig.model_validate_json(student), input_shape, class_count, vocabulary_size)
    return {"student_parameters": cost.parameters, "student_flops": cost.flops}


@lru_cache(maxsize=16)
def _lesson(
    data: ObjectRef[SearchData],
    source: Source,
    sample_count: int,
    subset_seed: int,
    device: torch.device,
) -> Lesson:
    lesson = _fetch(data).lesson(source, sample_count=sample_count, subset_seed=subset_seed, device=device)
    return replace(lesson, data=lesson.data.to(device))


@lru_cache(maxsize=4)
def _validation_set(data: ObjectRef[SearchData], teacher: str | None, device: torch.device) -> EvaluationSet:
    return _fetch(data).validation_set(teacher).to(device)


@lru_cache(maxsize=2)
def _test_set(test: ObjectRef[TestData], device: torch.device) -> EvaluationSet:
    return _fetch(test).evaluation_set().to(device)


@lru_cache(maxsize=4)
def _fetch(ref: ObjectRef[Any]) -> Any:
    import ray

    return ray.get(ref)
