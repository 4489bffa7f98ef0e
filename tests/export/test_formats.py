"""Every format gives what the student gives, or is not there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch import nn

from kdsearch.config.schema import ModelConfig
from kdsearch.export import load
from kdsearch.export.formats import write_programs
from kdsearch.models import build_model
from kdsearch.students import Description

LINEAR = ModelConfig(name="mlp", hidden=())


def exported(model: nn.Module, description: Description, samples: Tensor, folder: Path) -> dict[str, str]:
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"network": description.to_dict()}))
    return write_programs(model.eval(), samples, folder)


@pytest.mark.parametrize(
    ("config", "shape", "vocabulary"),
    [
        (ModelConfig(name="cnn", channels=(4, 8), dropout=0.5), (1, 9, 9), None),
        (ModelConfig(name="resnet8"), (3, 8, 8), None),
        (ModelConfig(name="transformer", depth=1, width=8, heads=2), (7,), 20),
    ],
    ids=lambda value: value.name if isinstance(value, ModelConfig) else "",
)
def test_all_formats_agree(config: ModelConfig, shape: tuple[int, ...], vocabulary: int | None, tmp_path: Path) -> None:
    model = build_model(config, shape, 4, seed=2, vocabulary_size=vocabulary)

    def draw(count: int) -> Tensor:
        return torch.randn(count, *shape) if vocabulary is None else torch.randint(0, vocabulary, (count, *shape))

    assert exported(model, Description.of(config, shape, 4, vocabulary), draw(8), tmp_path) == {}
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    program = torch.export.load(tmp_path / "model.pt2").module()
    for count in (1, 5, 33):
        inputs = draw(count)
        with torch.no_grad():
            expected = model(inputs).numpy()
            assert np.abs(load(tmp_path)(inputs).numpy() - expected).max() < 1e-6
            assert np.abs(program(inputs).numpy() - expected).max() < 1e-5
        assert np.abs(session.run(["logits"], {"inputs": inputs.numpy()})[0] - expected).max() < 1e-5


def test_files_say_nothing_of_the_machine_they_were_made_on(tmp_path: Path) -> None:
    model = build_model(LINEAR, (3,), 2, seed=0)
    assert exported(model, Description.of(LINEAR, (3,), 2), torch.randn(4, 3), tmp_path) == {}
    places = (str(Path(__file__).parents[2]).encode(), b"site-packages")
    assert not [(file.name, place) for file in tmp_path.iterdir() for place in places if place in file.read_bytes()]
    batch = onnx.load(tmp_path / "model.onnx").graph.input[0].type.tensor_type.shape.dim[0]
    assert batch.dim_param and not batch.dim_value


class Liar(nn.Linear):
    """Another network while it is traced."""

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = super().forward(inputs)
        return outputs + 0.01 if torch.compiler.is_compiling() else outputs


class Picky(nn.Linear):
    """Decides by the numbers that it sees, which no program of a fixed graph can."""

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = super().forward(inputs)
        return outputs.relu() if float(inputs.sum()) > 0 else outputs


def build(kind: str, input_shape: tuple[int, ...], class_count: int) -> nn.Module:
    return {"liar": Liar, "picky": Picky}[kind](input_shape[0], class_count)


@pytest.mark.parametrize(("kind", "reason"), [("liar", "differ from the student's"), ("picky", "cannot be written")])
def test_a_format_that_is_another_network_is_removed_with_its_reason(kind: str, reason: str, tmp_path: Path) -> None:
    config = ModelConfig.model_validate({"name": kind, "_target_": f"{__name__}.build", "arguments": {"kind": kind}})
    model = build_model(config, (3,), 2, seed=0)
    left_out = exported(model, Description.of(config, (3,), 2), torch.randn(6, 3), tmp_path)
    assert left_out.keys() == {"model.pt2", "model.onnx"}
    assert all(reason in why and "\n" not in why for why in left_out.values())
    assert {file.name for file in tmp_path.iterdir()} == {"config.json", "model.safetensors"}


def test_weights_that_are_not_the_students_are_found(tmp_path: Path) -> None:
    model = build_model(LINEAR, (3,), 2, seed=0)
    other = build_model(LINEAR, (3,), 2, seed=1)
    description = Description.of(LINEAR, (3,), 2)
    exported(other, description, torch.randn(4, 3), tmp_path)
    assert "differ" in write_programs(model.eval(), torch.randn(4, 3), tmp_path)["model.safetensors"]
    assert not (tmp_path / "model.safetensors").exists()
