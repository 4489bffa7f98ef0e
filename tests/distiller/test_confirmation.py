"""What confirmations measure on the test split, on models whose answers are known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch import nn

from kdsearch.distiller import EvaluationSet
from kdsearch.distiller import TrainingSet
from kdsearch.distiller import confirmation_metrics
from kdsearch.distiller import evaluate
from tests.distiller.samples import LABELS
from tests.distiller.samples import distiller
from tests.distiller.samples import evaluation_set
from tests.distiller.samples import training_set


class Sign(nn.Module):
    """Class 1 where the input is positive, by a margin that is its size."""

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.cat([-inputs, inputs], dim=1)


class Table(nn.Module):
    """Logits by token."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, tokens: Tensor) -> Tensor:
        return self.logits[tokens[:, 0]]


def training_of(data: EvaluationSet, class_count: int) -> TrainingSet:
    return TrainingSet(torch.arange(len(data)), data.inputs, data.targets, class_count)


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_noise_is_on_the_scale_of_the_inputs(scale: float) -> None:
    inputs = scale * torch.tensor([-1.0, 1.0]).repeat(20_000).view(-1, 1)
    data = EvaluationSet(inputs, (inputs[:, 0] > 0).long())
    found = confirmation_metrics(Sign(), training_of(data, 2), data, seed=0)
    normal = torch.distributions.Normal(0, 1)
    for level in (0.1, 0.3, 1.0):  # right where the noise does not cross zero, one standard deviation away
        expected = normal.cdf(torch.tensor(1 / level)).item()
        assert found[f"test_noise_accuracy_{level:g}"] == pytest.approx(expected, abs=0.01)


def test_the_seed_is_all_that_decides_the_noise() -> None:
    student, data = distiller().model, evaluation_set(600)
    state = torch.get_rng_state()
    first, again, other = (confirmation_metrics(student, training_set(), data, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert first == again != other
    assert first["membership_auc"] == other["membership_auc"]


def test_tokens_have_no_noise_and_memorised_ones_are_told() -> None:
    """Four tokens: the first two, of the training set, are answered right; of the others one is."""
    model = Table(torch.tensor([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [3.0, 0.0, 0.0], [4.0, 0.0, 0.0]]))
    tokens = torch.tensor([[0], [1], [2], [3]])
    train = TrainingSet(torch.arange(2), tokens[:2], torch.tensor([0, 1]), 3)
    found = confirmation_metrics(model, train, EvaluationSet(tokens[2:], torch.tensor([0, 1])), seed=0)
    assert found == {"test_class_accuracy/0": 1, "test_class_accuracy/1": 0, "membership_auc": 1}


def test_a_student_trained_to_the_end_gives_its_samples_away() -> None:
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(0, 3, (40,), generator=generator)  # labels of chance: only memory answers them
    inputs = torch.randn(40, 1, 4, 4, generator=generator)
    train = TrainingSet(torch.arange(20), inputs[:20], targets[:20], 3)
    test = EvaluationSet(inputs[20:], targets[20:])
    student = distiller(recipe=LABELS, data=train, steps=600)
    before = confirmation_metrics(student.model, train, test, seed=0)["membership_auc"]
    student.advance(600)
    after = confirmation_metrics(student.model, train, test, seed=0)["membership_auc"]
    assert after > 0.9 and before < 0.75


def test_classes_are_listed_up_to_twenty() -> None:
    for class_count in (20, 21):
        targets = torch.arange(class_count)
        data = EvaluationSet(targets.view(-1, 1), targets)
        found = confirmation_metrics(Table(torch.eye(class_count)), training_of(data, class_count), data, seed=0)
        listed = {name for name in found if "class_accuracy" in name}
        assert listed == ({f"test_class_accuracy/{index}" for index in range(20)} if class_count == 20 else set())


def test_the_listed_accuracies_have_the_gap_that_the_scores_tell() -> None:
    student, data = distiller().model, evaluation_set(31)
    found = confirmation_metrics(student, training_set(), data, seed=0)
    listed = [value for name, value in found.items() if "class_accuracy" in name]
    scores = evaluate(student, data)
    assert len(listed) == 3
    assert sum(listed) / 3 == pytest.approx(scores["balanced_accuracy"])
    assert sum(listed) / 3 - min(listed) == pytest.approx(scores["worst_class_gap"])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_inputs_and_outputs_of_other_types(dtype: torch.dtype) -> None:
    inputs = torch.tensor([[-1.0], [1.0], [2.0]], dtype=dtype)
    data = EvaluationSet(inputs, torch.tensor([0, 1, 1]))
    found = confirmation_metrics(Sign(), training_of(data, 2), data, seed=0)
    assert found["test_noise_accuracy_0.1"] == 1 and found["membership_auc"] == 0.5
