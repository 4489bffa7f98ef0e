"""What a network can be called, and the keys that each takes."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from kdsearch.config.check_models import network_problems
from kdsearch.config.schema import ModelConfig
from kdsearch.models.names import name_problem

KNOWN = [
    "mlp",
    "transformer",
    "resnet8x4",
    "wrn_28_10",
    "torchvision/resnet18",
    "timm/resnet18",
    "timm/resnet18.a1_in1k",
]


@pytest.mark.parametrize("name", KNOWN)
def test_known(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("resnet_20", "must be one of mlp, cnn, transformer, resnet8, .*; did you mean resnet20?"),
        ("resnet50", "torchvision/<name>"),
        ("wrn_16-2", "did you mean wrn_16_2?"),
        ("wrn_17_2", "the depth must be 6n+4"),
        ("wrn_4_2", "the depth must be 6n+4"),
        ("wrn_16_0", "must be one of"),
        ("torchvision/resnet81", "torchvision has no such classifier; did you mean torchvision/resnet18?"),
        ("torchvision/fcn_resnet50", "torchvision has no such classifier"),
        ("timm/vit_tinny_patch16_224", "timm has no such classifier; did you mean timm/vit_tiny_patch16_224?"),
        ("keras/resnet50", "must be one of"),
    ],
)
def test_unknown(name: str, allowed: str) -> None:
    (problem,) = network_problems("student", ModelConfig(name=name))
    assert (problem.key, problem.value) == ("student.name", name)
    assert all(part in problem.allowed for part in allowed.split(".*"))


def test_pretrained_where_there_are_no_weights() -> None:
    (problem,) = network_problems("teacher.model", ModelConfig(name="timm/test_vit4", pretrained=True))
    assert str(problem) == "teacher.model.pretrained=true: timm has no weights for test_vit4"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "resnet20", "dropout": 0.1}, "the model resnet20 takes no dropout; its name says everything"),
        ({"name": "resnet20", "pretrained": True}, "takes no pretrained"),
        ({"name": "wrn_16_2", "width": 4}, "the model wrn_16_2 takes no width; it takes dropout"),
        ({"name": "cnn", "channels": [4], "hidden": [3]}, "the model cnn takes no hidden; it takes channels, dropout"),
        ({"name": "mlp", "hidden": [3], "arguments": {"width": 3}}, "takes no arguments"),
        ({"name": "timm/resnet18", "dropout": 0.1}, "takes no dropout; it takes pretrained, arguments"),
        ({"name": "transformer", "depth": 2, "width": 8}, "needs depth, width and heads"),
        ({"name": "transformer", "depth": 2, "width": 8, "heads": 3}, "must divide width=8"),
    ],
)
def test_keys_that_do_not_fit_the_name(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ModelConfig.model_validate(values)
