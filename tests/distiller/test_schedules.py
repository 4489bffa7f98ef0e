"""Learning rates against torch's schedulers, and the steps of evaluation."""

from __future__ import annotations

import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdsearch.distiller import evaluation_steps
from kdsearch.distiller.schedules import learning_rate_factor


def torch_rates(build: object, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = build(optimizer)  # type: ignore[operator]
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            scheduler.step()
    return rates


def test_cosine_is_torchs() -> None:
    expected = torch_rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=50), 50)
    assert [learning_rate_factor("cosine", step, 50) for step in range(50)] == pytest.approx(expected)


def test_one_cycle_is_torchs_up_to_its_rounding() -> None:
    expected = torch_rates(lambda o: torch.optim.lr_scheduler.OneCycleLR(o, max_lr=1.0, total_steps=1000), 1000)
    ours = [learning_rate_factor("one_cycle", step, 1000) for step in range(1000)]
    assert max(abs(a - b) for a, b in zip(ours, expected, strict=True)) < 0.01


@given(st.sampled_from(["constant", "cosine", "one_cycle"]), st.integers(1, 500))
def test_a_rate_is_never_above_the_peak_nor_zero(schedule: str, total: int) -> None:
    assert all(0 < learning_rate_factor(schedule, step, total) <= 1 for step in range(total))


def test_an_unknown_schedule() -> None:
    with pytest.raises(ValueError, match="constant, cosine or one_cycle"):
        learning_rate_factor("linear", 0, 10)


@given(st.integers(1, 3000), st.integers(1, 40), st.integers(1, 200))
def test_evaluation_steps(total: int, evaluations: int, per_epoch: int) -> None:
    steps = evaluation_steps(total, evaluations, per_epoch)
    assert steps == sorted(set(steps)) and steps[-1] == total and 1 <= len(steps) <= evaluations
    assert all(step % per_epoch == 0 for step in steps[:-1])
    epochs = [-(-step // per_epoch) for step in steps]
    assert len(set(epochs)) == len(epochs)


@pytest.mark.parametrize(
    ("total", "evaluations", "per_epoch", "expected"),
    [(100, 4, 1, [25, 50, 75, 100]), (100, 4, 25, [25, 50, 75, 100]), (10, 1, 3, [10]), (10, 5, 7, [7, 10])],
)
def test_evaluation_steps_by_hand(total: int, evaluations: int, per_epoch: int, expected: list[int]) -> None:
    assert evaluation_steps(total, evaluations, per_epoch) == expected
