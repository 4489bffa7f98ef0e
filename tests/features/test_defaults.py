"""The layers that are taken when none is named."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kdsearch.config.schema import ModelConfig
from kdsearch.errors import InputError
from kdsearch.features import FEATURE_SPECS
from kdsearch.features.capture import feature_shape
from kdsearch.features.defaults import default_layer
from tests.features.models import CNN
from tests.features.models import IMAGES
from tests.features.models import MLP
from tests.features.models import Nested
from tests.features.models import small

ON_ANYTHING = [name for name, spec in FEATURE_SPECS.items() if not spec.needs_maps]


@pytest.mark.parametrize("name", ON_ANYTHING)
@pytest.mark.parametrize(
    ("model", "path", "shape"),
    [(small(MLP), "head:input", (5,)), (small(CNN), "head:input", (32,)), (Nested(), "head:input", (3,))],
    ids=["mlp", "cnn", "nested"],
)
def test_the_penultimate_feature(name: str, model: nn.Module, path: str, shape: tuple[int, ...]) -> None:
    assert default_layer(name, model, IMAGES) == path
    assert feature_shape(model, path, IMAGES) == shape


@pytest.mark.parametrize(
    ("model", "path", "shape"),
    [
        (small(CNN), "stage2", (8, 2, 2)),
        (small(ModelConfig(name="cnn", channels=(4, 4, 4, 4))), "stage2", (4, 2, 2)),  # 4, 2, 1, 1 pixels
        (Nested(), "backbone", (3, 6, 6)),
    ],
    ids=["cnn", "cnn that ends in single pixels", "nested"],
)
def test_the_last_map(model: nn.Module, path: str, shape: tuple[int, ...]) -> None:
    assert default_layer("attention", model, IMAGES) == path
    assert feature_shape(model, path, IMAGES) == shape


def test_of_a_resnet18() -> None:
    from torchvision.models import resnet18

    model, images = resnet18(num_classes=5).train(), torch.zeros(1, 3, 64, 64)
    assert default_layer("attention", model, images) == "layer4"
    assert default_layer("similarity", model, images) == "fc:input"
    assert feature_shape(model, "layer4", images) == (512, 2, 2)
    assert feature_shape(model, "fc:input", images) == (512,)
    assert feature_shape(model, "layer3.1.conv2:input", images) == (256, 4, 4)
    assert all(module.training for module in model.modules())


def test_no_map() -> None:
    with pytest.raises(
        InputError, match=r"^layer=null: attention needs a feature map \[C,H,W\] .* Sequential has none"
    ):
        default_layer("attention", small(MLP), IMAGES)


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Conv2d(1, 4, 8), nn.Flatten()),
        small(ModelConfig(name="mlp", hidden=())),  # its penultimate feature is the image
        nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Linear(64, 4)),
    ],
    ids=["no linear layer", "linear model", "nothing learned before it"],
)
def test_no_penultimate_feature(model: nn.Module) -> None:
    with pytest.raises(InputError, match=r"^student\.layer=null: Sequential has no linear layer behind .* that rkd is"):
        default_layer("rkd", model, IMAGES, key="student.layer")


def test_unknown_objective() -> None:
    with pytest.raises(InputError, match=r"^feature_objective=similarty: .*did you mean similarity\?"):
        default_layer("similarty", small(MLP), IMAGES)
