"""What the trials of an attempt share in a worker process, and what was made for one and serves the next."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.config.schema import ModelConfig
from kdsearch.config.schema import TrainingConfig
from kdsearch.recipe import Source
from kdsearch.search.board import BoardHandle
from kdsearch.search.board import Wish

if TYPE_CHECKING:
    import torch
    from ray import ObjectRef

    from kdsearch.data import Split
    from kdsearch.data import TestSplit
    from kdsearch.distiller import EvaluationSet
    from kdsearch.distiller import TrainingSet
    from kdsearch.search.pack import Slot
    from kdsearch.search.prepare import SearchData
    from kdsearch.teacher import Lesson

STOP_POLL_SECONDS = 1.0


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
    test: ObjectRef[TestSplit]
    board: BoardHandle


class NodeLeaving(Exception):
    """The node is about to be taken away: its trials go on elsewhere, from their checkpoints."""


class StopPoll:
    """Whether the sweep is stopping, or this node leaving; asks the board at most once a second."""

    def __init__(self, board: BoardHandle) -> None:
        self._board = board
        self._next = 0.0
        self._wish: Wish | None = None

    def __call__(self) -> bool:
        return self._wish is not None if time.monotonic() < self._next else self.is_stopping()

    def is_stopping(self) -> bool:
        """As it is now, asked of the board."""
        if self._wish is None:
            import ray

            self._wish = ray.get(self._board.wish.remote(ray.get_runtime_context().get_node_id()))
            self._next = time.monotonic() + STOP_POLL_SECONDS
        return self._wish is not None

    def check_stays(self) -> None:
        """
        Raises:
            NodeLeaving: what was wished is that the worker leaves.
        """
        if self._wish is Wish.LEAVE:
            raise NodeLeaving


def wait_for_data(context: WorkerContext) -> bool:
    """Whether the data came; a trial may start before it is ready.

    Raises:
        NodeLeaving: the node leaves first.
    """
    import ray
    from ray.exceptions import RayTaskError

    stopping = StopPoll(context.board)
    while not ray.wait([context.data], timeout=STOP_POLL_SECONDS)[0]:
        if stopping():
            stopping.check_stays()
            return False
    try:
        _fetch(context.data)
    except RayTaskError:
        return False
    return True


def student_cost(student: ModelConfig, data: TrainingSet) -> dict[str, float]:
    """What the student costs, under the names of final metrics."""
    return _model_cost(student.model_dump_json(by_alias=True), data.input_shape, data.class_count, data.vocabulary_size)


@lru_cache(maxsize=16)
def _model_cost(
    student: str, input_shape: tuple[int, ...], class_count: int, vocabulary_size: int | None
) -> dict[str, float]:
    from kdsearch.models import model_cost

    cost = model_cost(ModelConfig.model_validate_json(student), input_shape, class_count, vocabulary_size)
    return {"student_parameters": cost.parameters, "student_flops": cost.flops}


@lru_cache(maxsize=16)
def lesson_of(
    data: ObjectRef[SearchData], source: Source, sample_count: int, subset_seed: int, device: torch.device
) -> Lesson:
    """The same samples are asked for by every trial of a study."""
    lesson = _fetch(data).lesson(source, sample_count=sample_count, subset_seed=subset_seed, device=device)
    return replace(lesson, data=lesson.data.to(device))


@lru_cache(maxsize=4)
def validation_set_of(data: ObjectRef[SearchData], teacher: str | None, device: torch.device) -> EvaluationSet:
    return _fetch(data).validation_set(teacher).to(device)


def test_set_of(test: ObjectRef[TestSplit], slot: Slot, device: torch.device) -> EvaluationSet:
    """The test split, opened by the trial in `slot`.

    Raises:
        TestSplitError: the trial is not a confirmation.
    """
    return _opened(_fetch(test).open(slot.purpose, by=slot.key), device)


@lru_cache(maxsize=2)
def _opened(split: Split, device: torch.device) -> EvaluationSet:
    from kdsearch.distiller import EvaluationSet

    return EvaluationSet.of(split).to(device)


@lru_cache(maxsize=4)
def _fetch(ref: ObjectRef[Any]) -> Any:
    import ray

    return ray.get(ref)
