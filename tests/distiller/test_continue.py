"""A training that was interrupted ends as one that was not, to the bit."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch

from kdsearch.config.schema import ModelConfig
from kdsearch.distiller import Distiller
from kdsearch.distiller import distill
from kdsearch.ledger.records import Point
from kdsearch.recipe import Recipe
from tests.distiller.samples import CNN
from tests.distiller.samples import DROPOUT
from tests.distiller.samples import KL
from tests.distiller.samples import LABELS
from tests.distiller.samples import MIXED
from tests.distiller.samples import MLP
from tests.distiller.samples import distiller
from tests.distiller.samples import evaluation_set
from tests.distiller.samples import training
from tests.distiller.samples import training_set
from tests.distiller.samples import weights


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    loaded: dict[str, Any] = torch.load(buffer, weights_only=True)
    return loaded


def run(student: Distiller) -> list[dict[str, float]]:
    for step in student.evaluation_steps:
        if step > student.step or (step == student.step and not student.is_evaluated):
            student.advance(step)
            student.evaluate(evaluation_set())
    return [dict(point.metrics) for point in student.series]


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize(("model", "recipe"), [(MLP, KL), (DROPOUT, MIXED), (CNN, LABELS)])
def test_interrupted_anywhere(model: ModelConfig, recipe: Recipe, optimizer: str, schedule: str) -> None:
    settings: dict[str, Any] = {"optimizer": optimizer, "schedule": schedule}
    whole = distiller(recipe, model, **settings)
    expected = run(whole)
    for step in (0, 1, 4, 6, 11, 23, 24):
        first = distiller(recipe, model, **settings)
        for evaluation in first.evaluation_steps:
            if evaluation <= step:
                first.advance(evaluation)
                first.evaluate(evaluation_set())
        first.advance(step)
        state = through_a_file(first.state_dict())
        second = distiller(recipe, model, **settings)
        second.load_state_dict(state)
        assert run(second) == expected
        assert torch.equal(weights(second), weights(whole))


def test_a_saved_state_does_not_change_while_training_goes_on() -> None:
    student = distiller()
    student.advance(5)
    state = student.state_dict()
    before = through_a_file(state)
    student.advance(24)
    for name, tensor in state["model"].items():
        assert torch.equal(tensor, before["model"][name])
    momentum = state["optimizer"]["state"][0]["momentum_buffer"]
    assert torch.equal(momentum, before["optimizer"]["state"][0]["momentum_buffer"])


def test_a_state_does_not_hold_the_teacher() -> None:
    student = distiller()
    student.advance(5)
    sizes = {tensor.numel() for tensor in _tensors(student.state_dict())}
    assert training_set().signals.numel() not in sizes  # type: ignore[union-attr]


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [tensor for child in children for tensor in _tensors(child)]


def test_distill_stops_at_an_evaluation_and_goes_on() -> None:
    states: list[dict[str, Any]] = []

    def stop_at_the_second(student: Distiller, point: Point) -> bool:
        states.append(student.state_dict())
        return len(states) == 2

    arguments = (MLP, KL, training(), training_set(), evaluation_set())
    whole = distill(*arguments, seed=0)
    stopped = distill(*arguments, seed=0, on_evaluation=stop_at_the_second)
    assert len(stopped.series) == 2 and not stopped.completed and whole.completed
    rest = distill(*arguments, seed=0, resume=through_a_file(states[-1]))
    assert [p.metrics for p in rest.series] == [p.metrics for p in whole.series]
    assert rest.metrics == whole.metrics


def test_distill_stops_at_once() -> None:
    calls = iter(range(100))
    result = distill(
        MLP, KL, training(), training_set(), evaluation_set(), seed=0, should_stop=lambda: next(calls) >= 8
    )
    assert not result.completed and len(result.series) == 1


def test_the_test_set_is_scored_at_the_end_alone() -> None:
    result = distill(MLP, KL, training(), training_set(), evaluation_set(), seed=0, test_set=evaluation_set(seed=2))
    assert {"test_accuracy", "test_nll", "test_ece", "val_accuracy"} <= set(result.metrics)
    assert all(not name.startswith("test") for point in result.series for name in point.metrics)
