"""Several teachers taken together: their probabilities, what each is worth on a sample, and what a sample is worth."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kdsearch.objectives import soft_loss
from kdsearch.objectives.kl import kl
from kdsearch.recipe import Recipe
from kdsearch.teacher.ensemble import SampleWeights
from kdsearch.teacher.ensemble import blend
from kdsearch.teacher.ensemble import member_weights
from tests.distiller.teachers import images
from tests.distiller.teachers import in_the_loop
from tests.distiller.teachers import networks
from tests.distiller.teachers import student
from tests.distiller.teachers import validation
from tests.distiller.teachers import with_answers

SEED = torch.Generator().manual_seed(0)
MEMBERS = 3 * torch.randn(6, 3, 4, generator=SEED, dtype=torch.float64)
STUDENT = torch.randn(6, 4, generator=SEED, dtype=torch.float64)
WEIGHTS = torch.rand(6, 3, generator=SEED, dtype=torch.float64).softmax(dim=-1)


def logits(*probabilities: float) -> Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).log()


def member_losses(outputs: Tensor, temperature: float) -> Tensor:
    """[6, 3]: each member's own KL loss."""
    return torch.stack([kl(outputs, MEMBERS[:, i], temperature=temperature) for i in range(3)], dim=1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 40.0])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_the_blend_has_the_gradient_of_all_members_losses(temperature: float, weights: Tensor | None) -> None:
    """Σ_i w_i KL(p_i‖q) = KL(Σ_i w_i p_i‖q) + a constant, at the temperature of the loss."""
    outputs = STUDENT.clone().requires_grad_()
    shares = torch.full((6, 3), 1 / 3, dtype=torch.float64) if weights is None else weights
    blended = blend(MEMBERS, weights, temperature)
    each = (shares * member_losses(outputs, temperature)).sum(dim=1)
    together = kl(outputs, blended, temperature=temperature)
    expected, found = (torch.autograd.grad(loss.sum(), outputs)[0] for loss in (each, together))
    assert torch.allclose(found, expected, atol=1e-10)

    other = STUDENT.roll(1, dims=0)
    moved = (shares * member_losses(other, temperature)).sum(dim=1) - kl(other, blended, temperature=temperature)
    assert torch.allclose(each - together, moved, atol=1e-8)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_probabilities_are_averaged_and_not_logits(temperature: float) -> None:
    members = torch.stack([logits(0.8, 0.1, 0.1), logits(0.2, 0.2, 0.6)])
    mean = (members / temperature).softmax(dim=-1).mean(dim=0)
    assert torch.allclose((blend(members, None, temperature) / temperature).softmax(dim=-1), mean)
    assert not torch.allclose((members.mean(dim=0) / temperature).softmax(dim=-1), mean, atol=1e-3)
    if temperature == 1:
        assert mean.tolist() == pytest.approx([0.5, 0.15, 0.35])


def test_a_member_without_weight_says_nothing_and_large_logits_are_safe() -> None:
    alone = torch.tensor([1.0, 0.0, 0.0])
    found = blend(MEMBERS[0], alone, 2.0)
    assert torch.allclose(found.softmax(dim=-1), MEMBERS[0, 0].softmax(dim=-1), atol=1e-6)
    huge = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]])
    assert torch.isfinite(blend(huge)).all()
    assert blend(huge).softmax(dim=-1).tolist() == pytest.approx([0.5, 0.5, 0.0])


def test_a_single_member_is_itself() -> None:
    assert torch.allclose(blend(MEMBERS[:, :1], None, 3.0).softmax(-1), MEMBERS[:, 0].softmax(-1))


@pytest.mark.parametrize("hyperparameters", [{}, {"temperature": 1.0}, {"temperature": 20.0}])
@pytest.mark.parametrize("in_loop", [True, False])
def test_a_distiller_averages_at_the_temperature_of_its_loss(hyperparameters: dict[str, Any], in_loop: bool) -> None:
    """Also where none is named and the objective takes its default: one step moves the student as all losses do."""
    teachers, data = networks(3), images()
    recipe = Recipe("kl", 1.0, hyperparameters)
    settings: dict[str, Any] = {"batch_size": 21, "steps": 1, "schedule": "constant", "momentum": 0, "weight_decay": 0}
    settings |= {"gradient_clip": None, "learning_rate": 0.5}
    if in_loop:
        trained = student(recipe, data, in_the_loop(teachers), **settings)
    else:
        trained = student(recipe, with_answers(data, teachers), **settings)
    reference = student(recipe, with_answers(data, teachers), **settings).model
    outputs = reference(data.inputs)
    loss = sum(soft_loss("kl", outputs, t(data.inputs), data.targets, **hyperparameters).mean() for t in teachers) / 3
    assert isinstance(loss, Tensor)
    gradients = torch.autograd.grad(loss, list(reference.parameters()))
    trained.advance(1)
    for parameter, before, gradient in zip(trained.model.parameters(), reference.parameters(), gradients, strict=True):
        assert torch.allclose(parameter, before - 0.5 * gradient, atol=1e-6)


def test_members_weigh_by_their_correctness() -> None:
    """Three samples of class 0, 1 and without a label; two members that give 0.8 and 0.2, 0.3 and 0.6 to the label."""
    members = torch.stack(
        [
            torch.stack([logits(0.8, 0.1, 0.1), logits(0.2, 0.2, 0.6)]),
            torch.stack([logits(0.5, 0.3, 0.2), logits(0.3, 0.6, 0.1)]),
            torch.stack([logits(0.8, 0.1, 0.1), logits(0.1, 0.1, 0.8)]),
        ]
    )
    targets = torch.tensor([0, 1, -1])
    weights = member_weights(members, targets)
    assert weights.tolist() == [pytest.approx(row) for row in ([0.8, 0.2], [1 / 3, 2 / 3], [0.5, 0.5])]


def entropy(*p: float) -> float:
    return -sum(x * math.log(x) for x in p if x > 0)


def test_samples_weigh_by_correctness_or_by_disagreement() -> None:
    """Labelled: mean probability of the label, 0.5 and 0.45, over their mean. Others: Jensen-Shannon divergence."""
    members = torch.stack(
        [
            torch.stack([logits(0.8, 0.1, 0.1), logits(0.2, 0.2, 0.6)]),
            torch.stack([logits(0.5, 0.3, 0.2), logits(0.3, 0.6, 0.1)]),
            torch.stack([logits(0.8, 0.1, 0.1), logits(0.1, 0.1, 0.8)]),
            torch.stack([logits(0.6, 0.2, 0.2), logits(0.4, 0.4, 0.2)]),
            torch.stack([logits(0.6, 0.2, 0.2), logits(0.6, 0.2, 0.2)]),
        ]
    )
    targets = torch.tensor([0, 1, -1, -1, -1])
    correctness = [0.5, 0.45]
    disagreement = [
        entropy(0.45, 0.1, 0.45) - (entropy(0.8, 0.1, 0.1) + entropy(0.1, 0.1, 0.8)) / 2,
        entropy(0.5, 0.3, 0.2) - (entropy(0.6, 0.2, 0.2) + entropy(0.4, 0.4, 0.2)) / 2,
        0.0,
    ]
    expected = [c / (sum(correctness) / 2) for c in correctness] + [d / (sum(disagreement) / 3) for d in disagreement]
    weights = SampleWeights(members, targets)
    assert weights(members, targets).tolist() == pytest.approx(expected, abs=1e-6)
    # A sample weighs the same in a batch of its own.
    for index in range(5):
        part = slice(index, index + 1)
        assert weights(members[part], targets[part]).item() == pytest.approx(expected[index], abs=1e-6)


@pytest.mark.parametrize("unlabelled", [0, 2, 5, 6])
def test_samples_weigh_one_on_average(unlabelled: int) -> None:
    targets = torch.tensor([0, 1, 2, 3, 0, 1])
    targets[6 - unlabelled :] = -1
    weights = SampleWeights(MEMBERS, targets)(MEMBERS, targets)
    for part in (targets >= 0, targets < 0):
        if part.any():
            assert weights[part].mean().item() == pytest.approx(1.0)
    assert weights.std() > 0.05


def test_members_that_agree_weigh_all_unlabelled_samples_alike() -> None:
    same = MEMBERS[:, :1].expand(-1, 3, -1)
    targets = torch.full((6,), -1)
    weights = SampleWeights(same, targets)(same, targets)
    assert torch.isfinite(weights).all() and weights.mean().item() == pytest.approx(1.0, abs=1e-6)


def test_views_of_a_bank_weigh_each_by_itself() -> None:
    views = MEMBERS.view(3, 2, 3, 4)
    targets = torch.tensor([0, 1, -1]).unsqueeze(1).expand(-1, 2)
    weights = SampleWeights(views, targets)(views, targets)
    flat = SampleWeights(MEMBERS, targets.flatten())(MEMBERS, targets.flatten())
    assert torch.equal(weights.flatten(), flat)
    assert torch.equal(member_weights(views, targets).flatten(0, 1), member_weights(MEMBERS, targets.flatten()))


def test_a_unikd_step_is_the_formula() -> None:
    """All samples at once: Σ_i w_i KL(p_i‖q) of each sample, times what the sample is worth."""
    teachers = networks(3)
    data = dataclasses.replace(with_answers(images(unlabelled=6), teachers), weighting="unikd")
    trained = student(Recipe("kl", 1.0, {"temperature": 2.0}), data, batch_size=21, steps=1)
    outputs = trained.model(data.inputs)
    members = data.signals
    assert members is not None
    total = torch.zeros(())
    worth, losses = [], []
    for sample, target in enumerate(data.targets.tolist()):
        p = members[sample].softmax(dim=-1)
        mean = p.mean(dim=0)
        if target >= 0:
            shares = p[:, target] / p[:, target].sum()
            worth.append(p[:, target].mean())
        else:
            shares = torch.full((3,), 1 / 3)
            worth.append(F.kl_div(mean.log().expand(3, -1), p, reduction="sum") / 3)
        softened = (members[sample] / 2).softmax(dim=-1)
        blended = (shares.unsqueeze(1) * softened).sum(dim=0)
        log_q = (outputs[sample] / 2).log_softmax(dim=-1)
        losses.append(4 * F.kl_div(log_q, blended, reduction="sum"))
    for part in (slice(0, 15), slice(15, 21)):
        mean_worth = torch.stack(worth[part]).mean()
        total = total + sum(w / mean_worth * loss for w, loss in zip(worth[part], losses[part], strict=True))
    trained.advance(1)
    assert trained.evaluate(validation()).metrics["train_loss"] == pytest.approx(total.item() / 21, rel=1e-4)
