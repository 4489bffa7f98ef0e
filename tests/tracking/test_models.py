from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kdsearch.config.schema import ModelConfig
from kdsearch.models import build_model
from kdsearch.tracking.models import LoggableStudent
from kdsearch.tracking.models import log_student


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from kdsearch.tracking.runs import MlflowClient

    return MlflowClient(f"sqlite:///{tmp_path_factory.mktemp('models')}/mlflow.db")


@pytest.fixture
def student() -> LoggableStudent:
    module = build_model(ModelConfig(name="mlp", hidden=(8,)), (64,), 10, seed=1).eval().requires_grad_(False)
    samples = np.random.default_rng(0).normal(size=(5, 64)).astype(np.float32)
    return LoggableStudent("s/confirm/n=50#3", "uid", 50, "kl T=4 a=0.80", module, samples)


def test_a_student_is_a_model_without_pickles(client: Any, student: LoggableStudent, tmp_path: Path) -> None:
    experiment = client.create_experiment("one", str(tmp_path / "artifacts"))
    run = client.create_run(experiment).info.run_id
    model_id = log_student(client, experiment, run, student)
    assert log_student(client, experiment, run, student) == model_id, "it is not logged twice"
    (model,) = client.search_logged_models([experiment])
    assert (model.name, model.source_run_id, model.params) == ("student-n50", run, {"sample_count": "50"})
    assert client.get_run(run).outputs.model_outputs[0].model_id == model_id
    folder = Path(model.artifact_location.removeprefix("file://"))
    assert not [file for file in folder.rglob("*") if file.suffix in (".pkl", ".pth")]
    with zipfile.ZipFile(folder / "data" / "model.pt2") as archive:
        contents = b"".join(map(archive.read, archive.namelist()))
    assert b"kdsearch/models" not in contents
    program = torch.export.load(folder / "data" / "model.pt2").module()
    for count in (1, 5):
        inputs = torch.from_numpy(student.samples[:count])
        torch.testing.assert_close(program(inputs), student.module(inputs))
    signature = (folder / "MLmodel").read_text()
    assert "-1" in signature and "float32" in signature and "input_example" in signature


def test_registered_students_are_found_by_sample_count(client: Any, student: LoggableStudent, tmp_path: Path) -> None:
    experiment = client.create_experiment("two", str(tmp_path / "artifacts"))
    run = client.create_run(experiment).info.run_id
    first = log_student(client, experiment, run, student, "digits")
    log_student(client, experiment, run, student, "digits")
    other = log_student(
        client, experiment, run, replace(student, sample_count=100, trial="s/confirm/n=100#0"), "digits"
    )
    better = log_student(client, experiment, run, replace(student, trial="s/confirm/n=50#9"), "digits")
    found = client.search_model_versions("name = 'digits'")
    assert sorted(version.source for version in found) == sorted(where(client, one) for one in (first, other, better))
    assert client.get_model_version_by_alias("digits", "n50").source == where(client, better)
    assert client.get_model_version_by_alias("digits", "n100").source == where(client, other)


def where(client: Any, model_id: str) -> str:
    return str(client.get_logged_model(model_id).artifact_location)
