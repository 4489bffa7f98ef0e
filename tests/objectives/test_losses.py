"""Losses against closed forms, finite differences and limits."""

from __future__ import annotations

import math

import pytest
import torch

from kdsearch.objectives import soft_loss


def random_logits(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64, scale: float = 3.0) -> torch.Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


LABELS = torch.tensor([0, 2, 1, 1])


def test_kl_of_a_hand_worked_case() -> None:
    student = torch.tensor([[0.0, 0.0]], dtype=torch.float64)
    teacher = torch.tensor([[2 * math.log(3.0), 0.0]], dtype=torch.float64)  # softmax at T=2: 3/4, 1/4
    expected = 4 * (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5))
    loss = soft_loss("kl", student, teacher, torch.tensor([0]), temperature=2.0)
    assert loss.shape == (1,)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_kl_is_the_definition_written_out(temperature: float) -> None:
    student, teacher = random_logits(4, 3, seed=1), random_logits(4, 3, seed=2)
    loss = soft_loss("kl", student, teacher, LABELS, temperature=temperature)
    for row in range(4):
        q = [math.exp(z / temperature) for z in student[row].tolist()]
        p = [math.exp(v / temperature) for v in teacher[row].tolist()]
        terms = [pi / sum(p) * math.log((pi / sum(p)) / (qi / sum(q))) for pi, qi in zip(p, q, strict=True)]
        assert loss[row].item() == pytest.approx(temperature**2 * sum(terms), rel=1e-9)


def test_kl_tends_to_half_the_mse_of_centred_logits() -> None:
    student, teacher = random_logits(4, 5, seed=1), random_logits(4, 5, seed=2)
    difference = (student - student.mean(-1, keepdim=True)) - (teacher - teacher.mean(-1, keepdim=True))
    limit = difference.square().mean(-1) / 2
    errors = [
        (soft_loss("kl", student, teacher, LABELS, temperature=t) - limit).abs().max().item() for t in (1e1, 1e2, 1e3)
    ]
    assert errors[0] > 5 * errors[1] > 25 * errors[2]
    assert errors[2] < 0.02


def test_mse_is_the_mean_over_classes() -> None:
    loss = soft_loss("mse", torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[0.0, 2.0, 1.0]]), torch.tensor([0]))
    assert loss.tolist() == pytest.approx([10 / 3])


@pytest.mark.parametrize(
    ("name", "parameters"), [("kl", {"temperature": 3.0}), ("kl", {"temperature": 0.7}), ("mse", {})]
)
def test_gradient_is_the_finite_difference(name: str, parameters: dict[str, float]) -> None:
    student = random_logits(4, 3, seed=1).requires_grad_()
    teacher = random_logits(4, 3, seed=2)
    assert torch.autograd.gradcheck(lambda z: soft_loss(name, z, teacher, LABELS, **parameters), (student,))


@pytest.mark.parametrize("name", ["kl", "mse"])
def test_same_outputs_cost_nothing(name: str) -> None:
    logits = random_logits(4, 3)
    assert soft_loss(name, logits, logits, LABELS).abs().max().item() < 1e-12


@pytest.mark.parametrize("name", ["kl", "mse"])
@pytest.mark.parametrize(
    ("student_type", "teacher_type", "expected"),
    [
        (torch.bfloat16, torch.bfloat16, torch.float32),
        (torch.float16, torch.float32, torch.float32),
        (torch.float32, torch.float32, torch.float32),
        (torch.float32, torch.float64, torch.float64),
        (torch.float64, torch.float32, torch.float64),
    ],
)
def test_computed_in_at_least_float32(
    name: str, student_type: torch.dtype, teacher_type: torch.dtype, expected: torch.dtype
) -> None:
    student, teacher = random_logits(4, 3, seed=1).to(student_type), random_logits(4, 3, seed=2).to(teacher_type)
    loss = soft_loss(name, student, teacher, LABELS)
    assert loss.dtype == expected
    exact = soft_loss(name, student.double(), teacher.double(), LABELS)
    assert torch.allclose(loss.double(), exact, rtol=1e-4)


@pytest.mark.parametrize("name", ["kl", "mse"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finite_with_huge_logits(name: str, dtype: torch.dtype) -> None:
    student = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]], dtype=dtype, requires_grad=True)
    teacher = torch.tensor([[-1e4, 1e4, 0.0], [-1e4, 1e4, 0.0]], dtype=dtype)
    loss = soft_loss(name, student, teacher, torch.tensor([0, 1]))
    loss.sum().backward()
    assert student.grad is not None
    assert torch.isfinite(loss).all() and torch.isfinite(student.grad).all()


def test_a_temperature_per_slot_equals_one_loss_after_another() -> None:
    student, teacher = random_logits(3, 4, 5, seed=1), random_logits(4, 5, seed=2)
    temperatures = torch.tensor([1.0, 4.0, 20.0])
    packed = soft_loss("kl", student, teacher, LABELS, temperature=temperatures)
    assert packed.shape == (3, 4)
    for slot, temperature in enumerate(temperatures.tolist()):
        alone = soft_loss("kl", student[slot], teacher, LABELS, temperature=temperature)
        assert torch.allclose(packed[slot], alone, rtol=1e-12)


def test_a_temperature_in_a_tensor_of_no_axes() -> None:
    student, teacher = random_logits(4, 3, seed=1), random_logits(4, 3, seed=2)
    as_tensor = soft_loss("kl", student, teacher, LABELS, temperature=torch.tensor(4.0))
    assert as_tensor.shape == (4,)
    assert torch.equal(as_tensor, soft_loss("kl", student, teacher, LABELS, temperature=4.0))


def test_a_temperature_per_sample_is_refused() -> None:
    logits = random_logits(4, 3)
    with pytest.raises(ValueError, match="slot axes only"):
        soft_loss("kl", logits, logits, LABELS, temperature=torch.ones(4))
