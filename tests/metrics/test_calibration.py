"""The expected calibration error, bin by bin."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error

from kdsearch.metrics import brier_score
from kdsearch.metrics import calibration_error


def brute_force(logits: Tensor, targets: Tensor, bins: int = 15) -> float:
    """Guo et al., equation 3."""
    confidences, predicted = logits.double().softmax(-1).max(-1)
    error = 0.0
    for place in range(bins):
        inside = (confidences >= place / bins) & (confidences < (place + 1) / bins)
        if place == bins - 1:
            inside |= confidences == 1
        if inside.any():
            accuracy = (predicted == targets)[inside].double().mean()
            error += float(inside.double().mean() * (accuracy - confidences[inside].mean()).abs())
    return error


@pytest.mark.parametrize("scale", [0.0, 0.1, 1.0, 10.0, 1e4])
def test_against_brute_force(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = scale * torch.randn(400, 5, generator=generator)
    targets = torch.randint(0, 5, (400,), generator=generator)
    assert calibration_error(logits, targets) == pytest.approx(brute_force(logits, targets), abs=1e-5)


def test_by_hand() -> None:
    logits = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.5, 0.5]]).log()
    targets = torch.tensor([0, 1, 1, 1])
    # 0.9: half of two right; 0.7: right; 0.5: the tie goes to class 0, wrong.
    expected = (2 * abs(0.5 - 0.9) + abs(1 - 0.7) + abs(0 - 0.5)) / 4
    assert calibration_error(logits, targets) == pytest.approx(expected, abs=1e-6)


def test_against_torchmetrics() -> None:
    logits = 2 * torch.randn(500, 7, generator=torch.Generator().manual_seed(1))
    targets = torch.randint(0, 7, (500,), generator=torch.Generator().manual_seed(2))
    expected = multiclass_calibration_error(logits.softmax(-1), targets, 7, n_bins=15)
    assert calibration_error(logits, targets) == pytest.approx(expected.item(), abs=1e-6)


def test_the_brier_score_by_hand() -> None:
    logits = torch.tensor([[0.5, 0.25, 0.25], [0.8, 0.1, 0.1]]).log()
    expected = ((0.25 + 0.0625 + 0.0625) + (0.64 + 0.81 + 0.01)) / 2
    assert brier_score(logits, torch.tensor([0, 1])) == pytest.approx(expected, abs=1e-6)


def test_the_brier_score_is_smallest_for_the_true_probabilities() -> None:
    generator = torch.Generator().manual_seed(0)
    p = torch.tensor([[0.6, 0.3, 0.1]]).expand(20_000, 3)
    targets = torch.multinomial(p, 1, generator=generator).squeeze(1)
    scores = {scale: brier_score(scale * p.log(), targets) for scale in (0.5, 1.0, 2.0)}
    assert min(scores, key=lambda scale: scores[scale]) == 1.0
