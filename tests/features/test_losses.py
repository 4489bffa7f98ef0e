"""Losses on features against the papers written out in loops, hand-worked cases, finite differences, invariances."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from kdsearch.features import FEATURE_SPECS
from tests.features.cases import CASES
from tests.features.cases import feature_loss
from tests.features.cases import feature_pair
from tests.features.cases import random_features
from tests.features.references import REFERENCES
from tests.features.references import resized

BATCHWISE = ["similarity", "rkd", "cka"]


@pytest.mark.parametrize(("name", "parameters"), CASES)
@pytest.mark.parametrize("batch", [2, 5])
def test_the_paper_written_out(name: str, parameters: dict[str, Any], batch: int) -> None:
    student, teacher = feature_pair(name, batch)
    loss = feature_loss(name, student, teacher, **parameters)
    assert loss.shape == (batch,)
    expected = REFERENCES[name](student.tolist(), teacher.tolist(), **parameters)
    assert loss.tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_gradient_is_the_finite_difference(name: str, parameters: dict[str, Any]) -> None:
    student, teacher = feature_pair(name, batch=4)
    student.requires_grad_()
    assert torch.autograd.gradcheck(lambda f: feature_loss(name, f, teacher, **parameters), (student,))


def test_fitnet_compares_maps_of_two_sizes_at_the_smaller() -> None:
    student, teacher = random_features(2, 3, 5, 4, seed=1), random_features(2, 3, 3, 6, seed=2)
    pairs = list(zip(student.tolist(), teacher.tolist(), strict=True))
    expected = REFERENCES["fitnet"]([resized(s, t) for s, t in pairs], [resized(t, s) for s, t in pairs])
    assert feature_loss("fitnet", student, teacher).tolist() == pytest.approx(expected, rel=1e-9)


def test_attention_of_a_hand_worked_case() -> None:
    """Mean squares 9/2, 16/2 → (9, 16)/√337; the teacher looks at the first position alone."""
    student = torch.tensor([[[[3.0, 0.0]], [[0.0, 4.0]]]])
    teacher = torch.tensor([[[[7.0, 0.0]]]])
    a, b = 9 / math.sqrt(337), 16 / math.sqrt(337)
    assert feature_loss("attention", student, teacher).tolist() == pytest.approx([((a - 1) ** 2 + b**2) / 2])


def test_similarity_of_a_hand_worked_case() -> None:
    """Orthogonal for the student, parallel for the teacher: rows (1, 0) and (0, 1) against (1, 2)/√5 twice."""
    student, teacher = torch.tensor([[2.0, 0.0], [0.0, 3.0]]), torch.tensor([[1.0], [2.0]])
    a, b = 1 / math.sqrt(5), 2 / math.sqrt(5)
    expected = ((1 - a) ** 2 + b**2 + a**2 + (1 - b) ** 2) / 4
    assert feature_loss("similarity", student, teacher).tolist() == pytest.approx([expected] * 2)


def test_rkd_of_a_hand_worked_case() -> None:
    """Right triangle 3-4-5 and three points on a line at 0, 1, 3."""
    student = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    teacher = torch.tensor([[0.0], [1.0], [3.0]])
    pairs = [(3 / 4, 1 / 2), (4 / 4, 3 / 2), (5 / 4, 2 / 2)]
    distance = 2 * sum((s - t) ** 2 / 2 for s, t in pairs) / 9
    # Cosines at the three corners; each stands at [i, j, k] and [i, k, j]. The second differs by more than 1.
    angle = 2 * (1 / 2 + (0.6 + 1 - 1 / 2) + (1 - 0.8) ** 2 / 2) / 27
    loss = feature_loss("rkd", student, teacher, distance_weight=2.0, angle_weight=3.0)
    assert loss.tolist() == pytest.approx([2 * distance + 3 * angle] * 3, rel=1e-6)


def test_cka_of_a_hand_worked_case() -> None:
    """Centred (−1, 0, 1) and (−1, 2, −1)/3 are orthogonal; with a column of each the alignment is in between."""
    student, teacher = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[0.0], [1.0], [0.0]])
    assert feature_loss("cka", student, teacher).tolist() == pytest.approx([1.0] * 3)
    both = torch.cat([student, teacher], dim=1)
    # K has the eigenvalues 2 and 2/3, the student alone that of 2: ⟨K, L⟩ = 4, ‖K‖ = √(4 + 4/9), ‖L‖ = 2.
    assert feature_loss("cka", both, student).tolist() == pytest.approx([1 - 2 / math.sqrt(4 + 4 / 9)] * 3)


def rotated(features: torch.Tensor) -> torch.Tensor:
    return features @ torch.linalg.qr(random_features(features.shape[1], features.shape[1], seed=9)).Q


@pytest.mark.parametrize(
    ("name", "parameters", "moves"),
    [
        ("cka", {}, [rotated, lambda f: 1e-3 * f, lambda f: f + 3]),
        ("cka", {"cosine_kernel": True}, [rotated, lambda f: f * torch.arange(1.0, 6.0).unsqueeze(1)]),
        ("rkd", {}, [rotated, lambda f: 1e-3 * f, lambda f: f + 3]),
        ("similarity", {}, [rotated, lambda f: 1e-3 * f]),
        ("attention", {}, [lambda f: f * torch.arange(1.0, 6.0).view(5, 1, 1, 1)]),
    ],
)
def test_invariant(name: str, parameters: dict[str, Any], moves: list[Any]) -> None:
    student, teacher = feature_pair(name)
    student = student if name == "attention" else student.flatten(1)
    loss = feature_loss(name, student, teacher, **parameters)
    for move in moves:
        assert torch.allclose(feature_loss(name, move(student), teacher, **parameters), loss, rtol=1e-9)
        assert torch.allclose(feature_loss(name, student, move(teacher), **parameters), loss, rtol=1e-9)


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_same_features_cost_nothing(name: str, parameters: dict[str, Any]) -> None:
    student, _ = feature_pair(name)
    assert feature_loss(name, student, student.clone(), **parameters).abs().max().item() < 1e-12


@pytest.mark.parametrize("name", BATCHWISE)
def test_losses_of_a_batch_do_not_depend_on_its_order(name: str) -> None:
    student, teacher = feature_pair(name)
    order = torch.tensor([3, 0, 4, 1, 2])
    loss = feature_loss(name, student, teacher)
    assert torch.allclose(feature_loss(name, student[order], teacher[order]), loss, rtol=1e-9)
    assert not torch.allclose(feature_loss(name, student[order], teacher), loss, rtol=1e-2)


@pytest.mark.parametrize(("name", "parameters"), CASES)
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
    name: str, parameters: dict[str, Any], student_type: torch.dtype, teacher_type: torch.dtype, expected: torch.dtype
) -> None:
    student, teacher = feature_pair(name)
    student, teacher = student.to(student_type), teacher.to(teacher_type)
    loss = feature_loss(name, student, teacher, **parameters)
    assert loss.dtype == expected
    assert torch.allclose(
        loss.double(), feature_loss(name, student.double(), teacher.double(), **parameters), rtol=1e-4
    )


@pytest.mark.parametrize("name", BATCHWISE)
@pytest.mark.parametrize("scale", [1e-8, 1e4])
def test_float32_is_enough_for_small_and_large_features(name: str, scale: float) -> None:
    student, teacher = feature_pair(name)
    exact = feature_loss(name, student, teacher)
    assert torch.allclose(feature_loss(name, scale * student.float(), teacher.float()).double(), exact, rtol=1e-4)


def test_rkd_tells_close_samples_far_from_the_origin_apart() -> None:
    offsets = random_features(6, 4, seed=1, dtype=torch.float32)
    far, teacher = 1000 + offsets, random_features(6, 4, seed=2, dtype=torch.float32)
    expected = REFERENCES["rkd"](far.tolist(), teacher.tolist())
    assert feature_loss("rkd", far, teacher).tolist() == pytest.approx(expected, rel=1e-5)


def _equal_samples(features: torch.Tensor) -> torch.Tensor:
    return features[:1].expand_as(features)


def _one_zero_sample(features: torch.Tensor) -> torch.Tensor:
    return torch.cat([torch.zeros_like(features[:1]), features[1:]])


def _two_equal_samples(features: torch.Tensor) -> torch.Tensor:
    return torch.cat([features[1:2], features[1:]])


@pytest.mark.parametrize(("name", "parameters"), CASES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "spoilt",
    [
        _equal_samples,
        _one_zero_sample,
        _two_equal_samples,
        torch.zeros_like,
        lambda f: f[:1],
        lambda f: 1e4 * f,
        lambda f: 1e-9 * f,
    ],
    ids=["all equal", "one zero", "two equal", "all zero", "batch of one", "huge", "tiny"],
)
@pytest.mark.parametrize("whose", ["student", "teacher", "both"])
def test_finite(name: str, parameters: dict[str, Any], dtype: torch.dtype, spoilt: Any, whose: str) -> None:
    student, teacher = feature_pair(name)
    count = len(spoilt(student))
    student = (spoilt(student) if whose != "teacher" else student)[:count].to(dtype, copy=True).requires_grad_()
    teacher = (spoilt(teacher) if whose != "student" else teacher)[:count].to(dtype)
    loss = feature_loss(name, student, teacher, **parameters)
    loss.mean().backward()
    assert student.grad is not None
    assert torch.isfinite(loss).all() and torch.isfinite(student.grad).all()
    assert loss.min().item() >= -1e-6


@pytest.mark.parametrize("name", ["rkd", "cka"])
@pytest.mark.parametrize("scale", [0.1, 1e4])
def test_rounding_is_no_difference_between_samples(name: str, scale: float) -> None:
    """The mean of equal numbers is not always that number in float32."""
    equal = (scale * random_features(1, 300, dtype=torch.float32)).repeat(7, 1).requires_grad_()
    feature_loss(name, equal, random_features(7, 3, dtype=torch.float32)).mean().backward()
    assert equal.grad is not None and not equal.grad.any()


@pytest.mark.parametrize("name", ["similarity", "attention"])
def test_a_sample_of_zeros_has_no_exploding_gradient(name: str) -> None:
    student, teacher = feature_pair(name)
    student = _one_zero_sample(student).requires_grad_()
    feature_loss(name, student, teacher).mean().backward()
    assert student.grad is not None and student.grad.abs().max().item() < 10


@pytest.mark.parametrize("name", FEATURE_SPECS)
def test_batches_must_agree(name: str) -> None:
    student, teacher = feature_pair(name)
    with pytest.raises(ValueError, match="feature has 4 samples and the teacher's 5"):
        feature_loss(name, student[:4], teacher)
