"""`soft_loss` as an entry point: defaults, and words for what is wrong."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

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


@pytest.mark.parametrize(
    ("name", "parameters", "allowed"),
    [
        ("jsd", {"beta": 1.1}, "beta=1.1: must be >= 0 and <= 1"),
        ("dkd", {"target_weight": -1}, "target_weight=-1: must be >= 0"),
        ("dkd", {"nontarget_weight": torch.tensor([1.0, -0.5])}, "nontarget_weight=-0.5: must be >= 0"),
        ("rld", {"target_temperature": 0}, "target_temperature=0: must be > 0"),
        ("rld", {"warmup": 2.0}, "warmup=2.0: must be >= 0 and <= 1"),
        ("nkd", {"gamma": "much"}, "gamma=much: must be a number >= 0"),
        ("nkd", {"standardize": True}, "standardize=true: `nkd` takes gamma, temperature"),
        ("kl", {"standardize": "yes"}, "standardize=yes: must be true (1) or false (0)"),
        ("kl", {"standardize": 0.5}, "standardize=0.5: must be true (1) or false (0)"),
    ],
)
def test_values_that_are_refused(name: str, parameters: dict[str, Any], allowed: str) -> None:
    with pytest.raises(InputError) as error:
        soft_loss(name, LOGITS, TEACHER, LABELS, **parameters)
    assert str(error.value) == allowed


@pytest.mark.parametrize("name", SPECS)
def test_different_class_counts(name: str) -> None:
    with pytest.raises(ValueError, match="student has 3 classes and the teacher 2"):
        soft_loss(name, LOGITS, torch.zeros(1, 2), LABELS)


def test_importing_objectives_leaves_torch_out() -> None:
    code = "import sys, kdsearch.objectives; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
