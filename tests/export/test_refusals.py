"""What cannot be exported is said in one line, and nothing is written."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
import torch

from kdsearch.config.schema import ModelConfig
from kdsearch.data import load_splits
from kdsearch.distiller import EvaluationSet
from kdsearch.distiller import evaluate
from kdsearch.errors import InputError
from kdsearch.export import load
from kdsearch.export.write import export_sweep
from kdsearch.models import build_model
from kdsearch.students import Description
from kdsearch.students import KeptStudent
from kdsearch.sweep import Sweep
from tests.data.test_splits import DIGITS
from tests.factories import make_confirmations
from tests.factories import make_record
from tests.factories import make_sweep

CONFIG = {"seed": 0, "training": {"steps": 10, "batch_size": 32}, "sample_counts": [100]}
KEY = "sweep/confirm/n=100#0"
TARGET = ModelConfig.model_validate({"name": "linear", "_target_": "own_network.linear"})
CODE = """
import math
from torch import nn

def linear(input_shape, class_count):
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), class_count))
"""


def sweep_in(folder: Path, val_accuracy: float = 0.5, **config: object) -> Sweep:
    searched = make_record(0)
    confirmed = make_confirmations(searched.key, [0.5], [val_accuracy])
    confirmed = [
        dataclasses.replace(record, metrics={**record.metrics, "student_parameters": 650}) for record in confirmed
    ]
    record = make_sweep("sweep", config={**CONFIG, **config})
    return Sweep(record, (searched, *confirmed), "sqlite:///nothing", str(folder))


def keep(sweep: Sweep, config: ModelConfig) -> KeptStudent:
    student = KeptStudent.of(
        KEY,
        sweep.record.uid,
        Description.of(config, (1, 8, 8), 10),
        build_model(config, (1, 8, 8), 10, seed=0),
    )
    sweep.students.save(student)
    return student


def refusal(sweep: Sweep, output: Path) -> str:
    with pytest.raises(InputError) as caught:
        export_sweep(sweep, output)
    assert not output.exists() and not list(output.parent.glob(".*partial*"))
    assert len(caught.value.problems) == 1
    return str(caught.value)


def test_nothing_confirmed(tmp_path: Path) -> None:
    sweep = sweep_in(tmp_path)
    unconfirmed = dataclasses.replace(sweep, records=sweep.records[:1])
    assert "nothing is confirmed yet" in refusal(unconfirmed, tmp_path / "out")
    off = dataclasses.replace(unconfirmed, record=make_sweep("sweep", config={"confirm": {"top_k": 0}}))
    assert "confirm.top_k=0" in refusal(off, tmp_path / "out")


def test_no_student_kept(tmp_path: Path) -> None:
    assert f"no confirmed student is kept in {tmp_path}" in refusal(sweep_in(tmp_path), tmp_path / "out")


def test_a_network_that_is_another_one_by_now(tmp_path: Path) -> None:
    sweep = sweep_in(tmp_path, val_accuracy=0.99)
    keep(sweep, ModelConfig(name="mlp", hidden=()))
    assert "and its confirmation 0.990" in refusal(sweep, tmp_path / "out")


def test_data_that_have_changed(tmp_path: Path) -> None:
    sweep = sweep_in(tmp_path)
    keep(sweep, ModelConfig(name="mlp", hidden=()))
    record = make_sweep("sweep", config=CONFIG, teacher={"fingerprint": {"data": "of other digits"}})
    assert "has changed since" in refusal(dataclasses.replace(sweep, record=record), tmp_path / "out")


def test_a_users_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "own_network.py").write_text(CODE)
    with monkeypatch.context() as here:
        here.syspath_prepend(code)
        student = keep(sweep_in(tmp_path), TARGET)
        validation = EvaluationSet.of(load_splits(DIGITS, 0).validation)
        accuracy = evaluate(student.model, validation, final=False)["accuracy"]
        exported = export_sweep(sweep_in(tmp_path, val_accuracy=accuracy), tmp_path / "out")
        assert [(found.target, found.left_out) for found in exported] == [("own_network.linear", {})]
        assert load(tmp_path / "out/n=100")(validation.inputs).shape == (300, 10)
    monkeypatch.delitem(sys.modules, "own_network")
    assert "`own_network.linear`, which must be on the Python path" in (tmp_path / "out/n=100/README.md").read_text()
    with pytest.raises(InputError, match=r"torch\.export\.load"):
        load(tmp_path / "out/n=100")
    program = torch.export.load(tmp_path / "out/n=100/model.pt2").module()
    by_hand = validation.inputs.flatten(1) @ student.weights["1.weight"].T + student.weights["1.bias"]
    assert torch.allclose(program(validation.inputs), by_hand, atol=1e-5)
