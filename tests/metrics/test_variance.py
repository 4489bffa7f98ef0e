"""The variance of a student's objective, against the law of total variance and against risks of many drawn samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdsearch.metrics import loss_variances


def test_by_hand() -> None:
    student = torch.tensor([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]).log()
    teacher = torch.tensor([[0.7, 0.3], [1.0 - 1e-12, 1e-12], [0.5, 0.5]]).log()
    found = loss_variances(student, torch.tensor([0, 1, 1]), teacher)
    labels = -np.log([0.5, 0.1, 0.8])
    soft = -np.array([np.log(0.5), np.log(0.9), 0.5 * (np.log(0.2) + np.log(0.8))])
    assert found["label_loss_variance"] == pytest.approx(labels.var(), rel=1e-5)
    assert found["teacher_loss_variance"] == pytest.approx(soft.var(), rel=1e-5)


def test_the_true_probabilities_save_the_variance_within_samples() -> None:
    generator = torch.Generator().manual_seed(0)
    true = 2 * torch.randn(40_000, 4, generator=generator)
    student = torch.randn(40_000, 4, generator=generator)
    targets = torch.multinomial(true.softmax(-1), 1, generator=generator).squeeze(1)
    found = loss_variances(student, targets, true)
    p, losses = true.double().softmax(-1), -student.double().log_softmax(-1)
    within = ((p * losses.square()).sum(-1) - (p * losses).sum(-1).square()).mean().item()
    assert found["label_loss_variance"] - found["teacher_loss_variance"] == pytest.approx(within, rel=0.05)
    assert within > 0.1


def test_divided_by_n_it_is_the_variance_of_the_risk_of_n_samples() -> None:
    generator = torch.Generator().manual_seed(1)
    student, teacher = (torch.randn(20_000, 3, generator=generator) for _ in range(2))
    targets = torch.randint(0, 3, (20_000,), generator=generator)
    found = loss_variances(student, targets, teacher)
    losses = torch.nn.functional.cross_entropy(student, targets, reduction="none").view(400, 50)
    assert losses.mean(dim=1).var().item() == pytest.approx(found["label_loss_variance"] / 50, rel=0.2)
