"""Parameters and FLOPs against counts by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch import nn

from kdsearch.config.schema import ModelConfig
from kdsearch.errors import InputError
from kdsearch.models import model_cost


def test_mlp() -> None:
    cost = model_cost(ModelConfig(name="mlp", hidden=(32, 16)), (1, 8, 8), 10)
    assert cost.parameters == 65 * 32 + 33 * 16 + 17 * 10
    assert cost.flops == 2 * (64 * 32 + 32 * 16 + 16 * 10)


def test_cnn() -> None:
    cost = model_cost(ModelConfig(name="cnn", channels=(4, 6)), (1, 8, 7), 10)
    assert cost.parameters == (9 + 1) * 4 + (4 * 9 + 1) * 6 + (6 * 2 * 2 + 1) * 10
    assert cost.flops == 2 * (9 * 4 * 4 * 4 + 4 * 9 * 6 * 2 * 2 + 6 * 2 * 2 * 10)


def test_resnet() -> None:
    """Stem, three stages of three blocks, two 1x1 shortcuts, head; the maps are 32², 16², 8²."""
    stage1 = 6 * 9 * 16**2 * 32**2
    stage2 = (9 * 16 * 32 + 5 * 9 * 32**2 + 16 * 32) * 16**2
    stage3 = (9 * 32 * 64 + 5 * 9 * 64**2 + 32 * 64) * 8**2
    cost = model_cost(ModelConfig(name="resnet20"), (3, 32, 32), 10)
    assert cost.flops == 2 * (9 * 3 * 16 * 32**2 + stage1 + stage2 + stage3 + 64 * 10)


def test_transformer() -> None:
    config = ModelConfig(name="transformer", depth=3, width=16, heads=4)
    length, width, words = 12, 16, 50
    cost = model_cost(config, (length,), 5, words)
    layer = 4 * length * width**2 + 2 * length * width * 4 * width + 2 * length**2 * width
    assert cost.flops == 2 * (3 * layer + width * 5)
    norms = (2 * 3 + 1) * 2 * width
    linear = 3 * (4 * width**2 + 4 * width + 8 * width**2 + 5 * width) + (width + 1) * 5
    assert cost.parameters == (words + length) * width + norms + linear


class Attention(nn.Module):
    def __init__(self, input_shape: tuple[int, ...], class_count: int) -> None:
        super().__init__()
        self.head = nn.Linear(input_shape[-1], class_count)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean().item()  # needs numbers
        attended = nn.functional.scaled_dot_product_attention(x, x, x) * mean
        logits: Tensor = self.head(attended.mean(dim=(1, 2)))
        return logits


def test_the_users_own_attention_is_counted() -> None:
    config = ModelConfig.model_validate({"name": "mine", "_target_": f"{__name__}.Attention"})
    assert model_cost(config, (2, 6, 8), 5).flops == 2 * (2 * 2 * 6 * 6 * 8 + 8 * 5)


def test_nothing_is_downloaded_for_a_pretrained_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    config = ModelConfig(name="torchvision/mobilenet_v3_small", pretrained=True)
    assert model_cost(config, (3, 32, 32), 10).parameters == 1_528_106  # torchvision's 2,542,856, head of 10 classes


def wrong_output(input_shape: tuple[int, ...], class_count: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(192, class_count + 1))


def pair(input_shape: tuple[int, ...], class_count: int) -> nn.Module:
    class Pair(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, torch.zeros(1)

    return Pair()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "torchvision/alexnet"}, r"alexnet: can't take inputs of shape \[3, 8, 8\]"),
        ({"name": "timm/test_vit"}, r"timm/test_vit: can't take inputs of shape \[3, 8, 8\]"),
        ({"name": "mine", "_target_": f"{__name__}.wrong_output"}, r"logits \[1,10\] for one sample, not \[1, 11\]"),
        ({"name": "mine", "_target_": f"{__name__}.pair"}, r"logits \[1,10\] for one sample, not tuple"),
    ],
)
def test_networks_that_do_not_fit_the_data(values: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        model_cost(ModelConfig.model_validate(values), (3, 8, 8), 10)
    assert "\n" not in str(raised.value)
