"""Networks of torchvision and timm."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import timm
import torch
from torchvision.models import MobileNet_V3_Small_Weights
from torchvision.models import mobilenet_v3_small

from kdsearch.config.schema import ModelConfig
from kdsearch.errors import InputError
from kdsearch.models import build_model
from kdsearch.models import head_of

MOBILE = ModelConfig(name="torchvision/mobilenet_v3_small")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "config",
    [
        MOBILE,
        ModelConfig(name="torchvision/googlenet"),
        ModelConfig(name="torchvision/mnasnet0_5", arguments={"dropout": 0.0}),
        ModelConfig(name="timm/test_resnet"),
        ModelConfig(name="timm/test_vit", arguments={"img_size": 32}),
        ModelConfig(name="timm/test_efficientnet.r160_in1k"),
    ],
)
def test_one_tensor_of_logits(config: ModelConfig, channels: int) -> None:
    """In training mode too, where torchvision's networks with extra heads give a tuple."""
    model = build_model(config, (channels, 32, 32), 7, seed=0)
    images = torch.rand(2, channels, 32, 32)
    assert model(images).shape == (2, 7)
    assert copy.deepcopy(model).eval()(images).shape == (2, 7)
    assert head_of(model).out_features == 7


def test_timm_takes_any_number_of_channels() -> None:
    model = build_model(ModelConfig(name="timm/test_resnet"), (5, 32, 32), 7, seed=0)
    assert model(torch.rand(2, 5, 32, 32)).shape == (2, 7)


def test_grey_is_three_equal_channels_for_torchvision() -> None:
    grey, coloured = (build_model(MOBILE, (count, 32, 32), 7, seed=0).eval() for count in (1, 3))
    images = torch.rand(2, 1, 32, 32)
    assert torch.equal(grey(images), coloured(images.repeat(1, 3, 1, 1)))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's cache, empty, and no way to download."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


PRETRAINED = MOBILE.model_copy(update={"pretrained": True})


def test_pretrained_weights_from_torchvisions_cache(cache: Path) -> None:
    published = mobilenet_v3_small().state_dict()
    torch.save(published, cache / Path(MobileNet_V3_Small_Weights.DEFAULT.url).name)
    model, other = (build_model(PRETRAINED, (3, 32, 32), 7, seed=seed) for seed in (0, 1))
    body = [name for name in published if not name.startswith("classifier.3.")]
    assert all(torch.equal(model.state_dict()[name], published[name]) for name in body)
    assert head_of(model).out_features == 7
    assert not torch.equal(head_of(model).weight, head_of(other).weight)
    whole = build_model(PRETRAINED, (3, 32, 32), 1000, seed=0)
    assert torch.equal(head_of(whole).weight, published["classifier.3.weight"])


def test_pretrained_weights_of_timm_from_a_file(tmp_path: Path) -> None:
    published = timm.create_model("test_resnet").state_dict()
    torch.save(published, tmp_path / "weights.pth")
    arguments = {"pretrained_cfg_overlay": {"file": str(tmp_path / "weights.pth")}}
    config = ModelConfig(name="timm/test_resnet", pretrained=True, arguments=arguments)
    model = build_model(config, (3, 32, 32), 7, seed=0)
    assert torch.equal(model.state_dict()["conv1.0.weight"], published["conv1.0.weight"])
    assert head_of(model).out_features == 7


def test_pretrained_weights_that_cannot_be_had(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mobilenet_v3_small's weights are neither in the library's cache nor"):
        build_model(PRETRAINED, (3, 32, 32), 7, seed=0)
    arguments = {"pretrained_cfg_overlay": {"file": str(tmp_path / "none.pth")}}
    config = ModelConfig(name="timm/test_resnet", pretrained=True, arguments=arguments)
    with pytest.raises(InputError, match="timm/test_resnet's weights are neither"):
        build_model(config, (3, 32, 32), 7, seed=0)


@pytest.mark.parametrize("name", ["torchvision/resnet18", "timm/test_vit"])
def test_arguments_that_the_network_refuses(name: str) -> None:
    config = ModelConfig(name=name, arguments={"colour": "red"})
    with pytest.raises(InputError, match=f"model.arguments={{colour:red}}: {name} refuses them"):
        build_model(config, (3, 32, 32), 7, seed=0)
