"""Students are kept in S3 as they are in a folder."""

from __future__ import annotations

import pytest
import torch

from kdsearch.config.schema import ModelConfig
from kdsearch.models import build_model
from kdsearch.storage import open_storage
from kdsearch.students import Description
from kdsearch.students import KeptStudent
from kdsearch.students import StudentStore
from tests.services.servers import S3Server

pytestmark = pytest.mark.services


def test_there_and_back(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    store = StudentStore(open_storage(f"s3://{s3.bucket}/students"), "sweep", "uid")
    config, key = ModelConfig(name="mlp", hidden=(4,)), "sweep/confirm/n=50#7"
    model = build_model(config, (3,), 2, seed=0)
    assert store.load(key) is None
    store.save(KeptStudent.of(key, "uid", Description.of(config, (3,), 2), model))
    found = store.load(key)
    inputs = torch.randn(4, 3)
    assert found is not None and torch.equal(found.model(inputs), model(inputs))
    assert store.storage.list("sweeps/sweep/students") == ["sweeps/sweep/students/n=50/7.safetensors"]
