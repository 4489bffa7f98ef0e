"""Networks: shapes, initialisation from a seed, and users' own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kdsearch.config.schema import ModelConfig
from kdsearch.errors import InputError
from kdsearch.models import build_model
from kdsearch.models import parameter_count

MLP = ModelConfig(name="mlp", hidden=(32, 32))
CNN = ModelConfig(name="cnn", channels=(4, 8))


def own_model(input_shape: tuple[int, ...], class_count: int, width: int = 3) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(width), nn.Linear(width, class_count))


def not_a_model(input_shape: tuple[int, ...], class_count: int) -> str:
    return "model"


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize(
    "config", [MLP, CNN, ModelConfig(name="mlp", hidden=()), MLP.model_copy(update={"dropout": 0.5})]
)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 28), (1, 5, 7)])
def test_maps_a_batch_to_logits(config: ModelConfig, shape: tuple[int, ...]) -> None:
    model = build_model(config, shape, 10, seed=0)
    assert model(torch.zeros(5, *shape)).shape == (5, 10)


def test_widths_of_the_mlp() -> None:
    assert parameter_count(build_model(MLP, (1, 8, 8), 10, seed=0)) == 65 * 32 + 33 * 32 + 33 * 10


def test_a_cnn_survives_more_stages_than_pixels() -> None:
    deep = ModelConfig(name="cnn", channels=(4, 4, 4, 4, 4))
    assert build_model(deep, (1, 8, 8), 10, seed=0)(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("config", [MLP, CNN])
def test_weights_depend_on_the_seed_alone(config: ModelConfig) -> None:
    torch.manual_seed(1)
    first = weights(build_model(config, (1, 8, 8), 10, seed=7))
    torch.manual_seed(2)
    assert torch.equal(first, weights(build_model(config, (1, 8, 8), 10, seed=7)))
    assert not torch.equal(first, weights(build_model(config, (1, 8, 8), 10, seed=8)))


def test_the_global_random_state_is_left_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    build_model(MLP, (1, 8, 8), 10, seed=7)
    assert torch.equal(torch.rand(3), expected)


def test_users_own_model() -> None:
    config = ModelConfig.model_validate(
        {"name": "mine", "_target_": f"{__name__}.own_model", "arguments": {"width": 6}}
    )
    assert build_model(config, (1, 8, 8), 4, seed=0)(torch.zeros(2, 1, 8, 8)).shape == (2, 4)


@pytest.mark.parametrize(
    "target", ["no_such_package.model", f"{__name__}.missing", f"{__name__}.MLP", "single", f"{__name__}.not_a_model"]
)
def test_targets_that_do_not_work(target: str) -> None:
    config = ModelConfig.model_validate({"name": "mine", "_target_": target})
    with pytest.raises(InputError, match=target):
        build_model(config, (1, 8, 8), 4, seed=0)


def test_a_cnn_needs_images() -> None:
    with pytest.raises(InputError, match="needs images"):
        build_model(CNN, (64,), 10, seed=0)
