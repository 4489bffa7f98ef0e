"""`soft_loss` as an entry point: defaults, and words for what is wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from kdsearch.errors import InputError
from kdsearch.objectives import SPECS
from kdsearch.objectives import soft_loss

LOGITS = torch.tensor([[1.0, 0.0, -1.0]])
TEACHER = torch.tensor([[0.0, 2.0, -1.0]])
LABELS = torch.tensor([1])


@pytest.mark.parametrize("name", SPECS)
def test_defaults_are_those_of_the_spec(name: str) -> None:
    explicit = soft_loss(name, LOGITS, TEACHER, LABELS, **SPECS[name].defaults())
    assert torch.equal(soft_loss(name, LOGITS, TEACHER, LABELS), explicit)


def test_an_unknown_objective_names_the_known() -> None:
    with pytest.raises(InputError, match="kl_div.*kl, mse"):
        soft_loss("kl_div", LOGITS, TEACHER, LABELS)


def test_all_problems_at_once() -> None:
    with pytest.raises(InputError) as error:
        soft_loss("kl", LOGITS, TEACHER, LABELS, temperatur=2.0, temperature=0.0)
    assert [problem.key for problem in error.value.problems] == ["temperatur", "temperature"]
    assert "temperature" in error.value.problems[0].allowed and "> 0" in error.value.problems[1].allowed


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), "4", True, torch.tensor([2.0, -2.0])])
def test_temperatures_that_are_refused(temperature: object) -> None:
    with pytest.raises(InputError, match="temperature"):
        soft_loss("kl", LOGITS, TEACHER, LABELS, temperature=temperature)


def test_mse_takes_no_hyperparameters() -> None:
    with pytest.raises(InputError, match="takes no hyperparameters"):
        soft_loss("mse", LOGITS, TEACHER, LABELS, temperature=2.0)


def test_different_class_counts() -> None:
    with pytest.raises(ValueError, match="student has 3 classes and the teacher 2"):
        soft_loss("kl", LOGITS, torch.zeros(1, 2), LABELS)


def test_importing_objectives_leaves_torch_out() -> None:
    code = "import sys, kdsearch.objectives; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
