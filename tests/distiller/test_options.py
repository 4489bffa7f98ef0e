"""How a step is computed: precision, micro-batches, memory that runs out, memory layout, compilation, determinism."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from torch import nn

from kdsearch.config.schema import ModelConfig
from kdsearch.distiller.flat import FlatParameters
from kdsearch.distiller.precision import deterministic_algorithms
from kdsearch.models import build_model
from kdsearch.recipe import FeatureRecipe
from kdsearch.recipe import Recipe
from tests.distiller.samples import CNN
from tests.distiller.samples import DROPOUT
from tests.distiller.samples import KL
from tests.distiller.samples import LABELS
from tests.distiller.samples import MIXED
from tests.distiller.samples import MLP
from tests.distiller.samples import MSE
from tests.distiller.samples import weights
from tests.distiller.teachers import CONVOLUTIONAL
from tests.distiller.teachers import NORMALISED
from tests.distiller.teachers import images
from tests.distiller.teachers import losses
from tests.distiller.teachers import network
from tests.distiller.teachers import networks
from tests.distiller.teachers import student
from tests.distiller.teachers import users
from tests.distiller.teachers import with_answers
from tests.distiller.test_continue import through_a_file

DATA = with_answers(images(), networks(1))
FITNET = Recipe("kl", 0.5, {"temperature": 2.0}, feature=FeatureRecipe("fitnet", 1.0))


@pytest.mark.parametrize("recipe", [MIXED, FITNET], ids=["logits", "features"])
def test_bf16_trains_and_is_close_to_fp32(recipe: Recipe) -> None:
    data = with_answers(images(), [network(CONVOLUTIONAL)], feature="fitnet")
    full, half = (student(recipe, data, model=CNN, precision=name, steps=60) for name in ("fp32", "bf16"))
    expected, found = losses(full), losses(half)
    assert found != expected
    assert found[:10] == pytest.approx(expected[:10], rel=0.03)
    assert sum(found[-3:]) < 0.8 * sum(found[:3])
    assert all(parameter.dtype == torch.float32 for parameter in half.model.parameters())


def test_bf16_resumes_to_the_bit() -> None:
    whole = student(MIXED, DATA, model=CNN, precision="bf16")
    expected = losses(whole)
    first, second = (student(MIXED, DATA, model=CNN, precision="bf16") for _ in range(2))
    begun = losses(first, 7)
    second.load_state_dict(through_a_file(first.state_dict()))
    assert begun + losses(second) == expected


def test_fp16_on_a_cpu_is_refused() -> None:
    with pytest.raises(ValueError, match="precision=fp16 needs an accelerator"):
        student(KL, DATA, precision="fp16")


@pytest.mark.parametrize("size", [1, 3, 8, 20, 21, 64])
@pytest.mark.parametrize("recipe", [LABELS, KL, MIXED, MSE, FITNET], ids=lambda r: r.label())
def test_micro_batches_sum_up_to_the_batch(recipe: Recipe, size: int) -> None:
    """One step of plain gradient descent: its gradient, and the loss it reports, are the whole batch's."""
    data = with_answers(images(unlabelled=4), [network(CONVOLUTIONAL)], feature="fitnet")
    settings: dict[str, Any] = {"batch_size": 21, "steps": 1, "schedule": "constant", "momentum": 0, "weight_decay": 0}
    settings |= {"gradient_clip": None, "learning_rate": 1.0}
    whole, parts = (student(recipe, data, model=CNN, micro_batch_size=s, **settings) for s in (None, size))
    assert losses(parts) == pytest.approx(losses(whole), rel=1e-6)
    assert torch.allclose(weights(parts), weights(whole), atol=1e-6)
    states = [trained.state_dict()["feature"] for trained in (whole, parts)]
    assert all(torch.allclose(states[0][name], states[1][name], atol=1e-6) for name in states[0])


def test_micro_batches_over_a_training() -> None:
    whole, parts = (student(MIXED, DATA, model=CNN, micro_batch_size=size) for size in (None, 3))
    assert losses(parts) == pytest.approx(losses(whole), rel=1e-4)


@pytest.mark.parametrize(("most", "fits", "steps"), [(7, 4, [4]), (3, 2, [4, 2]), (1, 1, [4, 2, 1])])
def test_memory_that_runs_out(most: int, fits: int, steps: list[int], caplog: pytest.LogCaptureFixture) -> None:
    """Batches of 8 are halved until they fit; what is learned is what that micro-batch size gives."""
    model = users("Hungry", most=most)
    with caplog.at_level(logging.WARNING, "kdsearch"):
        trained = student(MIXED, DATA, model=model)
        found = losses(trained)
    told = student(MIXED, DATA, model=model, micro_batch_size=fits)
    assert found == losses(told)
    assert torch.equal(weights(trained), weights(told))
    assert trained.micro_batch_size == fits
    assert [record.getMessage() for record in caplog.records] == [
        f"out of memory at step 0: gradients of {size} samples at a time" for size in steps
    ]


def test_the_halved_size_is_kept_in_the_state(caplog: pytest.LogCaptureFixture) -> None:
    model = users("Hungry", most=3)
    whole, first, second = (student(MIXED, DATA, model=model) for _ in range(3))
    expected = losses(whole)
    begun = losses(first, 7)
    caplog.clear()
    second.load_state_dict(through_a_file(first.state_dict()))
    assert second.micro_batch_size == 2
    assert begun + losses(second) == expected
    assert not caplog.records


def test_memory_for_not_even_one_sample() -> None:
    trained = student(MIXED, DATA, model=users("Hungry", most=0))
    with pytest.raises(torch.OutOfMemoryError, match="no memory for 1 samples"):
        trained.advance(1)
    assert trained.step == 0


def test_an_odd_batch_is_halved_by_its_own_size() -> None:
    """All 21 samples are one batch: 11 at a time, then 6, then 3."""
    trained = student(MIXED, DATA, model=users("Hungry", most=5), batch_size=64)
    trained.advance(1)
    assert trained.micro_batch_size == 3


@pytest.mark.parametrize("model", [CNN, NORMALISED])
def test_channels_last_gives_the_same(model: ModelConfig) -> None:
    plain, last = (student(MIXED, DATA, model=model, channels_last=on) for on in (False, True))
    convolutions = [module for module in last.model.modules() if isinstance(module, nn.Conv2d)]
    assert losses(last) == pytest.approx(losses(plain), rel=1e-4)
    assert torch.allclose(weights(last), weights(plain), atol=1e-4)
    for convolution in convolutions:
        assert convolution.weight.is_contiguous(memory_format=torch.channels_last)


def test_channels_last_resumes_to_the_bit() -> None:
    whole, first, second = (student(MIXED, DATA, model=CNN, channels_last=True) for _ in range(3))
    expected = losses(whole)
    begun = losses(first, 7)
    second.load_state_dict(through_a_file(first.state_dict()))
    assert begun + losses(second) == expected


@pytest.mark.parametrize("channels_last", [False, True])
def test_flat_parameters_keep_values_strides_and_gradients(channels_last: bool) -> None:
    model, reference = (build_model(ModelConfig(name="cnn", channels=(4, 6)), (3, 8, 8), 4, seed=0) for _ in range(2))
    if channels_last:
        model.to(memory_format=torch.channels_last)
    strides = [parameter.stride() for parameter in model.parameters()]
    flat = FlatParameters(model)
    inputs = torch.randn(5, 3, 8, 8)
    for each in (model, reference):
        each(inputs).square().sum().backward()
    assert [parameter.stride() for parameter in model.parameters()] == strides
    (vector,) = flat.vectors
    assert vector.numel() == sum(parameter.numel() for parameter in model.parameters())
    for parameter, wanted in zip(model.parameters(), reference.parameters(), strict=True):
        assert torch.equal(parameter, wanted)
        assert parameter.untyped_storage().data_ptr() == vector.untyped_storage().data_ptr()
        assert parameter.grad is not None and wanted.grad is not None and vector.grad is not None
        assert parameter.grad.untyped_storage().data_ptr() == vector.grad.untyped_storage().data_ptr()
        assert torch.allclose(parameter.grad, wanted.grad, rtol=1e-4, atol=1e-5)
    norm = torch.linalg.vector_norm(torch.cat([p.grad.flatten() for p in reference.parameters()]))  # type: ignore[union-attr]
    flat.clip_gradients(0.5)
    assert torch.linalg.vector_norm(vector.grad).item() == pytest.approx(0.5, rel=1e-4) and norm > 0.5
    flat.zero_gradients()
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in model.parameters())


def test_parameters_of_two_types_are_clipped_together() -> None:
    config = users("DoublePrecision")
    clipped = student(KL, DATA, model=config, batch_size=21, steps=1, gradient_clip=0.01, momentum=0, weight_decay=0)
    before = [parameter.detach().clone() for parameter in clipped.model.parameters()]
    clipped.advance(1)
    moved = torch.cat([(p - b).double().flatten() for p, b in zip(clipped.model.parameters(), before, strict=True)])
    assert torch.linalg.vector_norm(moved).item() == pytest.approx(0.1 * 0.01, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "recipe"), [(MLP, MIXED), (CNN, FITNET)], ids=["mlp", "features"])
def test_a_compiled_student_learns_the_same(model: ModelConfig, recipe: Recipe) -> None:
    data = with_answers(images(), [network(CONVOLUTIONAL)], feature="fitnet")
    plain, compiled = (student(recipe, data, model=model, compile=on) for on in (False, True))
    assert losses(compiled) == pytest.approx(losses(plain), rel=1e-4)
    assert set(compiled.state_dict()["model"]) == set(plain.model.state_dict())


def test_deterministic_training_puts_torchs_settings_back() -> None:
    seen = []

    def look() -> bool:
        seen.append((torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark))
        return False

    for mode, benchmark in ((0, True), (1, False), (2, True)):
        torch.set_deterministic_debug_mode(mode)
        torch.backends.cudnn.benchmark = benchmark
        try:
            student(KL, DATA, model=DROPOUT, deterministic=True).advance(2, should_stop=look)
            assert torch.get_deterministic_debug_mode() == mode
            assert torch.backends.cudnn.benchmark == benchmark
            with pytest.raises(torch.OutOfMemoryError):
                student(KL, DATA, model=users("Hungry", most=0), deterministic=True).advance(1)
            assert torch.get_deterministic_debug_mode() == mode
            with deterministic_algorithms(False):
                assert torch.get_deterministic_debug_mode() == mode
        finally:
            torch.set_deterministic_debug_mode(0)
            torch.backends.cudnn.benchmark = False
    assert set(seen) == {(True, False)}


def test_deterministic_training_gives_the_same_weights() -> None:
    plain, deterministic = (student(KL, DATA, model=DROPOUT, deterministic=on) for on in (False, True))
    assert losses(plain) == losses(deterministic)
