"""The networks that are shipped: sizes as published, and how they behave."""

from __future__ import annotations

import itertools
from importlib.resources import files

import pytest
import torch
from torch import Tensor
from torch import nn

from kdsearch.config.compose import compose_sweep
from kdsearch.config.schema import ModelConfig
from kdsearch.errors import InputError
from kdsearch.models import build_model
from kdsearch.models import head_of
from kdsearch.models import parameter_count
from kdsearch.models.resnet import ResNet
from kdsearch.models.transformer import Transformer
from kdsearch.models.wide_resnet import WideResNet
from tests.distiller.samples import distiller

CIFAR = (3, 32, 32)
LENGTH, WORDS = 12, 50
SHIPPED = [
    (group, file.name.removesuffix(".yaml"))
    for group in ("student", "teacher")
    for file in sorted(files("kdsearch.conf").joinpath(group).iterdir(), key=lambda file: file.name)
    if file.name not in ("custom.yaml", "__pycache__")
]
TEXT = ModelConfig(name="transformer", depth=2, width=16, heads=4, dropout=0.1)


def shipped(group: str, name: str) -> ModelConfig:
    config = compose_sweep([f"{group}={name}"], outside_world=False).config
    return config.student if group == "student" else config.teacher.model


def build(config: ModelConfig, class_count: int = 10, seed: int = 0) -> nn.Module:
    if config.name == "transformer":
        return build_model(config, (LENGTH,), class_count, seed, vocabulary_size=WORDS)
    return build_model(config, CIFAR, class_count, seed)


def batch(config: ModelConfig, size: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    if config.name == "transformer":
        return torch.randint(1, WORDS, (size, LENGTH), generator=generator)
    return torch.randn(size, *CIFAR, generator=generator)


@pytest.mark.parametrize(("group", "name"), SHIPPED)
def test_every_shipped_network(group: str, name: str) -> None:
    config = shipped(group, name)
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    model = build(config, seed=7)
    assert torch.equal(torch.rand(1), expected)
    again, other = build(config, seed=7).state_dict(), build(config, seed=8).state_dict()
    assert all(torch.equal(tensor, again[key]) for key, tensor in model.state_dict().items())
    assert any(not torch.equal(tensor, other[key]) for key, tensor in model.state_dict().items())

    logits = model(batch(config))
    assert logits.shape == (3, 10)
    nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert head_of(model).out_features == 10


def cifar_resnet_size(blocks: int, widths: tuple[int, ...], class_count: int, *, shortcuts: bool) -> int:
    """Counted from the papers' tables, layer by layer; `shortcuts` are projections with BatchNorm."""
    size = 3 * 9 * widths[0] + 2 * widths[0]
    for before, width in itertools.pairwise(widths):
        size += before * 9 * width + (2 * blocks - 1) * width * 9 * width + 2 * blocks * 2 * width
        if shortcuts and before != width:
            size += before * width + 2 * width
    return size + (widths[-1] + 1) * class_count


NARROW, WIDE = (16, 16, 32, 64), (32, 64, 128, 256)


@pytest.mark.parametrize(
    ("name", "blocks", "widths"),
    [
        ("resnet20", 3, NARROW),
        ("resnet56", 9, NARROW),
        ("resnet110", 18, NARROW),
        ("resnet8x4", 1, WIDE),
        ("resnet32x4", 5, WIDE),
    ],
)
def test_sizes_of_the_resnets(name: str, blocks: int, widths: tuple[int, ...]) -> None:
    model = build(ModelConfig(name=name), class_count=100)
    assert parameter_count(model) == cifar_resnet_size(blocks, widths, 100, shortcuts=True)


@pytest.mark.parametrize(
    ("depth", "widths", "class_count", "millions"),
    [
        (20, NARROW, 10, 0.27),  # He et al., arXiv 1512.03385, table 6
        (32, NARROW, 10, 0.46),
        (44, NARROW, 10, 0.66),
        (56, NARROW, 10, 0.85),
        (110, NARROW, 10, 1.7),
        (8, WIDE, 100, 1.23),  # as the distillation literature gives them for CIFAR-100
        (32, WIDE, 100, 7.43),
    ],
)
def test_published_sizes_of_the_resnets(
    depth: int, widths: tuple[int, int, int, int], class_count: int, millions: float
) -> None:
    """The papers' shortcuts have no parameters; ours add what `test_sizes_of_the_resnets` counts, 1 % at most."""
    with torch.device("meta"):
        size = parameter_count(ResNet(3, class_count, depth, widths))
    assert size / 1e6 == pytest.approx(millions, rel=0.022)


@pytest.mark.parametrize(
    ("depth", "width", "millions"),
    [(40, 1, 0.6), (40, 2, 2.2), (40, 4, 8.9), (16, 8, 11.0), (28, 10, 36.5)],  # arXiv 1605.07146, tables 3 and 4
)
def test_published_sizes_of_the_wide_resnets(depth: int, width: int, millions: float) -> None:
    with torch.device("meta"):
        size = parameter_count(WideResNet(3, 10, depth, width))
    assert round(size / 1e6, 1) == millions


def test_exact_sizes_for_100_classes() -> None:
    """Layer by layer: WRN-16-2 has blocks of 16-32, 32-64 and 64-128 channels with 1x1 shortcuts."""
    convolutions = 3 * 9 * 16 + 9 * (16 * 32 + 3 * 32**2 + 32 * 64 + 3 * 64**2 + 64 * 128 + 3 * 128**2)
    shortcuts = 16 * 32 + 32 * 64 + 64 * 128
    normalisation = 2 * (16 + 3 * 32 + 32 + 3 * 64 + 64 + 3 * 128 + 128)
    size = parameter_count(build(ModelConfig(name="wrn_16_2"), class_count=100))
    assert size == convolutions + shortcuts + normalisation + 129 * 100 == 703_284
    assert parameter_count(build(ModelConfig(name="resnet20"), class_count=100)) == 278_324


@pytest.mark.parametrize("name", ["resnet8", "wrn_10_1"])
def test_weights_start_as_in_the_papers(name: str) -> None:
    """Normal, variance 2 / (9 · output channels) (arXiv 1502.01852); BatchNorm is the identity."""
    model = build(ModelConfig(name=name))
    weight = model.get_parameter("stage3.0.conv2.weight")
    assert weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
    assert weight.abs().max() > 3.5 * weight.std()
    scales = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all((m.weight == 1).all() and (m.bias == 0).all() for m in scales)


@pytest.mark.parametrize("config", [ModelConfig(name="resnet8x4"), ModelConfig(name="wrn_10_2", dropout=0.3), TEXT])
def test_in_eval_mode_a_sample_does_not_depend_on_its_batch(config: ModelConfig) -> None:
    model = build(config)
    model(batch(config))  # moves the running statistics
    model.eval()
    samples = batch(config, 6)
    together, alone = model(samples), torch.cat([model(sample[None]) for sample in samples])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert torch.equal(together, model(samples))


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 8, 8), (4, 33, 20)])
@pytest.mark.parametrize("name", ["resnet8", "wrn_10_1"])
def test_images_of_any_size(name: str, shape: tuple[int, ...]) -> None:
    assert build_model(ModelConfig(name=name), shape, 5, seed=0)(torch.zeros(2, *shape)).shape == (2, 5)


@pytest.mark.parametrize(
    ("config", "sizes"),
    [
        (ModelConfig(name="mlp", hidden=(4, 8)), [(4,), (8,)]),
        (ModelConfig(name="cnn", channels=(4, 8)), [(4, 16, 16), (8, 8, 8)]),
        (ModelConfig(name="resnet8x4"), [(64, 32, 32), (128, 16, 16), (256, 8, 8)]),
        (ModelConfig(name="wrn_10_2"), [(32, 32, 32), (64, 16, 16), (128, 8, 8)]),
        (TEXT, [(LENGTH, 16), (LENGTH, 16)]),
    ],
)
def test_stages_can_be_hooked(config: ModelConfig, sizes: list[tuple[int, ...]]) -> None:
    model = build(config)
    seen: dict[str, Tensor] = {}
    for index in range(1, len(sizes) + 1):
        stage = model.get_submodule(f"stage{index}")
        stage.register_forward_hook(lambda module, inputs, output, index=index: seen.update({str(index): output}))
    model(batch(config))
    assert [tuple(output.shape[1:]) for output in seen.values()] == sizes
    assert model.get_submodule("head") is head_of(model)


def text_model() -> nn.Module:
    return build(TEXT).eval()


@pytest.mark.parametrize("gradients", [True, False])
def test_padding_makes_no_difference(gradients: bool) -> None:
    """With gradients and without, where torch takes another path through an encoder layer."""
    model = text_model().requires_grad_(gradients)
    words = torch.tensor([[3, 9, 27, 8]])
    padded = [torch.nn.functional.pad(words, (0, count)) for count in (0, 3, LENGTH - 4)]
    first, *others = [model(tokens) for tokens in padded]
    for other in others:
        torch.testing.assert_close(other, first, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(first, model(torch.tensor([[9, 3, 27, 8]])), atol=1e-4), "the order must count"


def test_padding_learns_nothing() -> None:
    model = build(TEXT)
    model(torch.tensor([[3, 9, 0, 0]])).sum().backward()
    gradient = model.get_parameter("tokens.weight").grad
    assert gradient is not None
    assert gradient[0].abs().sum() == 0 and gradient[3].abs().sum() > 0
    positions = model.get_parameter("positions.weight").grad
    assert positions is not None and positions[2:].abs().sum() == 0


@pytest.mark.parametrize("training", [True, False])
def test_an_empty_text_is_finite(training: bool) -> None:
    model = text_model().train(training)
    tokens = torch.tensor([[0] * 5, [4, 5, 0, 0, 0]])
    with torch.set_grad_enabled(training):
        logits = model(tokens)
    assert logits.isfinite().all()
    torch.testing.assert_close(logits[0], head_of(model).bias)
    if training:
        logits.sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_layers_of_the_transformer_start_different() -> None:
    model = text_model()
    assert isinstance(model, Transformer)
    first, second = (model.get_parameter(f"stage{i}.linear1.weight") for i in (1, 2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("config", "shape", "vocabulary_size", "message"),
    [
        (ModelConfig(name="resnet20"), (64,), None, r"needs images \[channels, height, width\].* are \[64\]"),
        (ModelConfig(name="wrn_16_2"), (64,), None, "needs images"),
        (ModelConfig(name="torchvision/resnet18"), (2, 32, 32), None, "1 or 3 channels, not 2"),
        (ModelConfig(name="resnet20"), (LENGTH,), WORDS, "can't read token ids"),
        (ModelConfig(name="mlp", hidden=()), (LENGTH,), WORDS, "can't read token ids"),
        (TEXT, CIFAR, None, r"needs token ids \[length\].*\[3, 32, 32\] numbers"),
        (TEXT, (LENGTH,), None, r"needs token ids \[length\]"),
    ],
)
def test_inputs_that_do_not_fit(
    config: ModelConfig, shape: tuple[int, ...], vocabulary_size: int | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        build_model(config, shape, 10, seed=0, vocabulary_size=vocabulary_size)


def of_texts(input_shape: tuple[int, ...], class_count: int, vocabulary_size: int) -> nn.Module:
    return nn.Sequential(nn.Embedding(vocabulary_size, 4), nn.Flatten(), nn.Linear(4 * input_shape[0], class_count))


def test_a_target_is_given_the_vocabulary_of_texts() -> None:
    config = ModelConfig.model_validate({"name": "mine", "_target_": f"{__name__}.of_texts"})
    model = build_model(config, (LENGTH,), 3, seed=0, vocabulary_size=WORDS)
    assert model(torch.ones(2, LENGTH, dtype=torch.int64)).shape == (2, 3)


@pytest.mark.parametrize("config", [ModelConfig(name="resnet8"), ModelConfig(name="wrn_10_1", dropout=0.2)])
def test_training_goes_on_where_it_was_interrupted(config: ModelConfig) -> None:
    """To the bit, running statistics and dropout's randomness included."""
    whole, first, second = (distiller(model=config) for _ in range(3))
    whole.advance(24)
    first.advance(7)
    second.load_state_dict(first.state_dict())
    second.advance(24)
    assert all(torch.equal(t, second.model.state_dict()[name]) for name, t in whole.model.state_dict().items())
