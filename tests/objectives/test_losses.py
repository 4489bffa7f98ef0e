"""Losses against the papers written out in loops, hand-worked cases, finite differences and limits."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from kdsearch.objectives import SPECS
from kdsearch.objectives import soft_loss
from tests.objectives.cases import CASES
from tests.objectives.cases import LABELS
from tests.objectives.cases import random_logits
from tests.objectives.references import reference

STUDENT, TEACHER = random_logits(4, 5, seed=1), random_logits(4, 5, seed=2)

# Probabilities of three classes as logits: the teacher's 0.7, 0.2, 0.1 and the student's 0.5, 0.25, 0.25.
P = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64).log()
Q = torch.tensor([[0.5, 0.25, 0.25]], dtype=torch.float64).log()


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_the_paper_written_out(name: str, parameters: dict[str, Any]) -> None:
    loss = soft_loss(name, STUDENT, TEACHER, LABELS, **parameters)
    expected = reference(name, STUDENT.tolist(), TEACHER.tolist(), LABELS.tolist(), **parameters)
    assert loss.shape == (4,)
    assert loss.tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_gradient_is_the_finite_difference(name: str, parameters: dict[str, Any]) -> None:
    student = STUDENT.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: soft_loss(name, z, TEACHER, LABELS, **parameters), (student,))


def test_kl_of_a_hand_worked_case() -> None:
    student = torch.tensor([[0.0, 0.0]], dtype=torch.float64)
    teacher = torch.tensor([[2 * math.log(3.0), 0.0]], dtype=torch.float64)  # softmax at T=2: 3/4, 1/4
    expected = 4 * (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5))
    loss = soft_loss("kl", student, teacher, torch.tensor([0]), temperature=2.0)
    assert loss.shape == (1,)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_mse_and_l1_are_means_over_classes() -> None:
    student, teacher = torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[0.0, 2.0, 1.0]])
    assert soft_loss("mse", student, teacher, torch.tensor([0])).tolist() == pytest.approx([10 / 3])
    assert soft_loss("l1", student, teacher, torch.tensor([0])).tolist() == pytest.approx([4 / 3])


def test_nkd_of_a_hand_worked_case() -> None:
    """Label 0: 0.7 of the label's cross-entropy; the others are 2/3, 1/3 of the teacher and 1/2, 1/2 of the student."""
    loss = soft_loss("nkd", Q, P, torch.tensor([0]), gamma=1.5, temperature=1.0)
    assert loss.item() == pytest.approx(0.7 * math.log(2) + 1.5 * math.log(2), rel=1e-12)


def test_dkd_of_a_hand_worked_case() -> None:
    target = 0.7 * math.log(0.7 / 0.5) + 0.3 * math.log(0.3 / 0.5)
    others = 2 / 3 * math.log(4 / 3) + 1 / 3 * math.log(2 / 3)
    loss = soft_loss("dkd", Q, P, torch.tensor([0]), temperature=1.0, target_weight=1.0, nontarget_weight=8.0, warmup=0)
    assert loss.item() == pytest.approx(target + 8 * others, rel=1e-12)


def test_dist_of_a_hand_worked_case() -> None:
    """In the first sample the student is the teacher, in the second it has classes 1 and 2 exchanged."""
    teacher = torch.tensor([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1]], dtype=torch.float64)
    student = torch.tensor([[0.7, 0.2, 0.1], [0.2, 0.1, 0.7]], dtype=torch.float64)
    # Sample 1: deviations (−4, 11, −7)/30 and (−4, −7, 11)/30. Over two samples ρ is the sign of the two slopes:
    # class 0 alike, class 1 opposed; class 2 does not vary in the teacher.
    inter = [0.0, 1 - (16 - 77 - 77) / (16 + 121 + 49)]
    intra = 1 - (1 - 1 + 0) / 3
    loss = soft_loss("dist", student.log(), teacher.log(), torch.tensor([0, 1]), inter_weight=2.0, intra_weight=3.0)
    assert loss.tolist() == pytest.approx([2 * value + 3 * intra for value in inter], rel=1e-6)


@pytest.mark.parametrize(
    ("label", "answer", "others"),
    [
        # The teacher is right: all other classes are compared, as in DKD.
        (0, (0.5, 0.5), 2 / 3 * math.log(4 / 3) + 1 / 3 * math.log(2 / 3)),
        # It ranks one class above the label: a single class is left below, and there is nothing to compare.
        (1, (0.25, 0.75), 0.0),
        # It ranks the label last: no class is left.
        (2, (0.25, 0.75), 0.0),
    ],
)
def test_rld_of_hand_worked_cases(label: int, answer: tuple[float, float], others: float) -> None:
    sure = 0.7 * math.log(0.7 / answer[0]) + 0.3 * math.log(0.3 / answer[1])
    parameters = {"temperature": 1.0, "target_temperature": 1.0, "target_weight": 2.0, "nontarget_weight": 3.0}
    loss = soft_loss("rld", Q, P, torch.tensor([label]), **parameters)
    assert loss.item() == pytest.approx(2 * sure + 3 * others, rel=1e-12)


def test_kl_tends_to_half_the_mse_of_centred_logits() -> None:
    difference = (STUDENT - STUDENT.mean(-1, keepdim=True)) - (TEACHER - TEACHER.mean(-1, keepdim=True))
    limit = difference.square().mean(-1) / 2
    errors = [
        (soft_loss("kl", STUDENT, TEACHER, LABELS, temperature=t) - limit).abs().max().item() for t in (1e1, 1e2, 1e3)
    ]
    assert errors[0] > 5 * errors[1] > 25 * errors[2]
    assert errors[2] < 0.02


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_dkd_weighted_by_the_teachers_doubt_is_kl(temperature: float) -> None:
    doubt = 1 - (TEACHER / temperature).softmax(-1)[torch.arange(4), LABELS]
    weights: dict[str, Any] = {"target_weight": 1.0, "nontarget_weight": doubt}
    dkd = soft_loss("dkd", STUDENT, TEACHER, LABELS, temperature=temperature, **weights)
    assert torch.allclose(dkd, soft_loss("kl", STUDENT, TEACHER, LABELS, temperature=temperature), rtol=1e-9)


def test_rld_is_dkd_where_the_teacher_is_right() -> None:
    labels = TEACHER.argmax(-1)
    rld = soft_loss("rld", STUDENT, TEACHER, labels, temperature=3.0, target_temperature=3.0)
    assert torch.allclose(rld, soft_loss("dkd", STUDENT, TEACHER, labels, temperature=3.0), rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("end", "name"), [(0.0, "kl"), (1.0, "reverse_kl")])
@pytest.mark.parametrize("temperature", [1.0, 4.0, 40.0])
def test_jsd_is_continuous_at_its_ends(end: float, name: str, temperature: float, dtype: torch.dtype) -> None:
    student, teacher = STUDENT.to(dtype) / 3, TEACHER.to(dtype) / 3
    limit = soft_loss(name, student, teacher, LABELS, temperature=temperature)
    distances = []
    for step in (0.0, 1e-5, 1e-3):
        loss = soft_loss("jsd", student, teacher, LABELS, beta=abs(end - step), temperature=temperature)
        distances.append(((loss - limit) / limit).abs().max().item())
    rounding = 1e-3 if dtype is torch.float32 else 1e-9  # that of `kl` itself, with T² = 1600
    assert distances[0] < rounding
    assert distances[1] < rounding + 2e-4
    assert distances[2] < rounding + 2e-2


def test_jsd_in_the_middle_is_four_times_the_textbooks_and_symmetric() -> None:
    p, q = TEACHER.softmax(-1), STUDENT.softmax(-1)
    middle = (p + q) / 2
    textbook = ((p * (p / middle).log()).sum(-1) + (q * (q / middle).log()).sum(-1)) / 2
    loss = soft_loss("jsd", STUDENT, TEACHER, LABELS, beta=0.5, temperature=1.0)
    assert torch.allclose(loss, 4 * textbook, rtol=1e-9)
    assert torch.allclose(loss, soft_loss("jsd", TEACHER, STUDENT, LABELS, beta=0.5, temperature=1.0), rtol=1e-9)


@pytest.mark.parametrize("name", ["dkd", "rld"])
@pytest.mark.parametrize(
    ("warmup", "progress", "factor"), [(0.5, 0.1, 0.2), (0.5, 0.5, 1.0), (0.5, 1.0, 1.0), (0.0, 0.0, 1.0), (1.0, 0, 0)]
)
def test_a_warm_up_grows_with_progress(name: str, warmup: float, progress: float, factor: float) -> None:
    full = soft_loss(name, STUDENT, TEACHER, LABELS)
    loss = soft_loss(name, STUDENT, TEACHER, LABELS, warmup=warmup, progress=progress)
    assert torch.allclose(loss, factor * full, rtol=1e-12)


def test_progress_is_a_share() -> None:
    with pytest.raises(ValueError, match=r"progress=1.5: must be >= 0 and <= 1"):
        soft_loss("dkd", STUDENT, TEACHER, LABELS, progress=1.5)


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if not spec.uses_progress])
def test_progress_changes_nothing_without_a_warm_up(name: str) -> None:
    early = soft_loss(name, STUDENT, TEACHER, LABELS, progress=0.01)
    assert torch.equal(early, soft_loss(name, STUDENT, TEACHER, LABELS))


@pytest.mark.parametrize("name", ["kl", "reverse_kl", "jsd", "dkd", "rld"])
def test_standardised_losses_ignore_shift_and_scale(name: str) -> None:
    labels = TEACHER.argmax(-1)
    loss = soft_loss(name, STUDENT, TEACHER, labels, standardize=True)
    moved = soft_loss(name, 5 * STUDENT + 2, TEACHER / 3 - 1, labels, standardize=True)
    assert torch.allclose(loss, moved, rtol=1e-5)
    assert not torch.allclose(loss, soft_loss(name, STUDENT, TEACHER, labels), rtol=1e-2)


@pytest.mark.parametrize("name", ["kl", "mse", "l1", "reverse_kl", "jsd", "dkd", "dist", "rld"])
def test_same_outputs_cost_nothing(name: str) -> None:
    logits = random_logits(4, 3)
    assert soft_loss(name, logits, logits, logits.argmax(-1)).abs().max().item() < 1e-12


@pytest.mark.parametrize("name", SPECS)
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


HUGE = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], [1e4, -1e4, 0.0], [1e4, 1e4, 1e4]])
OPPOSED = torch.tensor([[-1e4, 1e4, 0.0], [-1e4, 1e4, 0.0], [1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]])
ONE_CLASS = torch.tensor([1, 1, 1, 1])


@pytest.mark.parametrize(("name", "parameters"), [*CASES, ("kl", {"temperature": 0.1})])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("students", "teachers", "labels"),
    [
        (HUGE, OPPOSED, LABELS),
        (OPPOSED, HUGE, ONE_CLASS),
        (random_logits(4, 3, seed=1), random_logits(4, 3, seed=2), ONE_CLASS),
        (random_logits(1, 3, seed=1), random_logits(1, 3, seed=2), torch.tensor([2])),
        (torch.zeros(4, 3), torch.zeros(4, 3), LABELS),
        (random_logits(4, 2, seed=1), random_logits(4, 2, seed=2), ONE_CLASS),
        (random_logits(4, 1, seed=1), random_logits(4, 1, seed=2), torch.zeros(4, dtype=torch.long)),
    ],
    ids=["huge", "huge and one class", "one class", "one sample", "equal logits", "binary", "a single class"],
)
def test_finite(
    name: str,
    parameters: dict[str, Any],
    dtype: torch.dtype,
    students: torch.Tensor,
    teachers: torch.Tensor,
    labels: torch.Tensor,
) -> None:
    student = students.to(dtype, copy=True).requires_grad_()
    loss = soft_loss(name, student, teachers.to(dtype), labels, **parameters)
    loss.sum().backward()
    assert student.grad is not None
    assert torch.isfinite(loss).all() and torch.isfinite(student.grad).all()
