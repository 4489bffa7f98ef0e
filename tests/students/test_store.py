"""What is kept of a student is the student."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from kdsearch.config.schema import ModelConfig
from kdsearch.models import build_model
from kdsearch.storage import LocalStorage
from kdsearch.students import Description
from kdsearch.students import KeptStudent
from kdsearch.students import StudentStore

KEY = "sweep/confirm/n=50#7"
RESNET = ModelConfig(name="resnet8")


@pytest.fixture
def store(tmp_path: Path) -> StudentStore:
    return StudentStore(LocalStorage(tmp_path), "sweep", "uid")


def trained() -> nn.Module:
    """One with state besides its weights: the running statistics of BatchNorm."""
    model = build_model(RESNET, (3, 8, 8), 4, seed=1)
    model(torch.randn(16, 3, 8, 8))
    return model


def kept(model: nn.Module, key: str = KEY) -> KeptStudent:
    return KeptStudent.of(key, "uid", Description.of(RESNET, (3, 8, 8), 4), model)


def test_there_and_back(store: StudentStore, tmp_path: Path) -> None:
    model = trained()
    store.save(kept(model))
    found = store.load(KEY)
    assert found is not None
    inputs = torch.randn(5, 3, 8, 8)
    assert torch.equal(found.model(inputs), model.eval()(inputs))
    assert not found.model.training and not any(p.requires_grad for p in found.model.parameters())
    with safe_open(tmp_path / "sweeps/sweep/students/n=50/7.safetensors", "pt") as file:
        assert json.loads(file.metadata()["kdsearch"])["model"] == {"name": "resnet8"}


def test_keeping_is_a_copy_of_parameters_that_are_parts_of_one_vector(store: StudentStore) -> None:
    vector = torch.arange(6.0)
    model = nn.Linear(2, 2)
    model.weight = nn.Parameter(vector[:4].view(2, 2))
    model.bias = nn.Parameter(vector[4:])
    student = KeptStudent.of(KEY, "uid", Description.of(ModelConfig(name="mlp", hidden=()), (2,), 2), model)
    vector.zero_()
    store.save(student)
    found = store.load(KEY)
    assert found is not None and found.weights["bias"].tolist() == [4.0, 5.0]


def test_what_is_not_its_own_is_not_taken(store: StudentStore, tmp_path: Path) -> None:
    assert store.load(KEY) is None
    with pytest.raises(ValueError, match="not a confirmation"):
        store.path("sweep/n=50#7")
    store.save(kept(trained()))
    with pytest.raises(ValueError, match="another sweep"):
        StudentStore(store.storage, "sweep", "of another sweep with that name").load(KEY)
    file = tmp_path / store.path(KEY)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match="not a kept student"):
        store.load(KEY)
    file.write_bytes(b"")
    with pytest.raises(ValueError, match="not a kept student"):
        store.load(KEY)
