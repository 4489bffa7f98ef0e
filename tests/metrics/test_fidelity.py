"""Student against teacher: by hand, by SciPy and at the ends of the scales."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from torchmetrics.functional import kl_divergence
from torchmetrics.functional.classification import multiclass_accuracy

from kdsearch.metrics import fidelity

generator = torch.Generator().manual_seed(0)
STUDENT, TEACHER = 3 * torch.randn(2, 200, 7, generator=generator, dtype=torch.float64)


def test_by_hand() -> None:
    student = torch.tensor([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7]]).log().clamp(min=-1e4)
    teacher = torch.tensor([[0.25, 0.75, 0.0], [0.1, 0.2, 0.7]]).log().clamp(min=-1e4)
    found = fidelity(student, teacher)
    overlap = math.sqrt(0.5 * 0.25) + math.sqrt(0.5 * 0.75)
    assert found == {
        "agreement": 0.5,
        "hellinger": pytest.approx(math.sqrt(1 - overlap) / 2),
        "kl_to_teacher": pytest.approx((0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)) / 2),
    }


def test_against_scipy() -> None:
    found = fidelity(STUDENT, TEACHER)
    q, p = STUDENT.softmax(-1).numpy(), TEACHER.softmax(-1).numpy()
    assert found["agreement"] == pytest.approx((q.argmax(-1) == p.argmax(-1)).mean())
    assert found["hellinger"] == pytest.approx(np.sqrt(0.5 * ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(-1)).mean())
    assert found["kl_to_teacher"] == pytest.approx(entropy(p, q, axis=-1).mean())


def test_the_direction_is_from_the_teacher() -> None:
    """A student that leaves out what the teacher allows pays more than one that allows more."""
    narrow, wide = torch.tensor([[8.0, 0.0, 0.0]]), torch.tensor([[1.0, 1.0, 0.0]])
    assert fidelity(narrow, wide)["kl_to_teacher"] > 2 * fidelity(wide, narrow)["kl_to_teacher"]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_student_that_is_its_teacher(dtype: torch.dtype) -> None:
    student = STUDENT.to(dtype)
    assert fidelity(student, student.clone()) == {"agreement": 1, "hellinger": 0, "kl_to_teacher": 0}
    shifted = fidelity(STUDENT + 5, STUDENT)
    assert shifted == {"agreement": 1, "hellinger": pytest.approx(0), "kl_to_teacher": pytest.approx(0)}


def test_opposites_are_a_whole_apart_and_finite() -> None:
    found = fidelity(torch.tensor([[1e4, -1e4]]), torch.tensor([[-1e4, 1e4]]))
    assert found == {"agreement": 0, "hellinger": pytest.approx(1), "kl_to_teacher": pytest.approx(2e4)}


def test_a_half_student_of_a_full_teacher() -> None:
    half = STUDENT.bfloat16()
    assert fidelity(half, TEACHER) == pytest.approx(fidelity(half.double(), TEACHER))


def test_against_torchmetrics() -> None:
    found = fidelity(STUDENT, TEACHER)
    agreement = multiclass_accuracy(STUDENT.argmax(-1), TEACHER.argmax(-1), STUDENT.shape[-1], average="micro")
    assert found["agreement"] == pytest.approx(agreement.item())
    divergence = kl_divergence(TEACHER.log_softmax(-1), STUDENT.log_softmax(-1), log_prob=True)
    assert found["kl_to_teacher"] == pytest.approx(divergence.item())
