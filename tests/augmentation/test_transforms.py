"""Augmentation draws for each sample on its own; what cannot work is said before the sweep."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kdsearch.augmentation import Augmentation
from kdsearch.augmentation import transform_problems
from kdsearch.errors import InputError

RAMP = torch.arange(64.0).view(1, 8, 8)
SHIFT: dict[str, dict[str, Any]] = {"RandomCrop": {"size": 8, "padding": 3}}


def test_each_sample_draws_its_own_parameters() -> None:
    torch.manual_seed(0)
    flipped = Augmentation(["RandomHorizontalFlip"])(RAMP.expand(64, 1, 8, 8))
    kinds = [torch.equal(sample, RAMP.flip(-1)) for sample in flipped]
    assert all(torch.equal(sample, RAMP) for sample, is_flipped in zip(flipped, kinds, strict=True) if not is_flipped)
    assert 16 < sum(kinds) < 48
    cropped = Augmentation([SHIFT])(RAMP.expand(64, 1, 8, 8))
    assert len({sample.numpy().tobytes() for sample in cropped}) > 20


def test_transforms_apply_in_their_order() -> None:
    always: dict[str, dict[str, Any]] = {"RandomHorizontalFlip": {"p": 1.0}}
    normalize: dict[str, dict[str, Any]] = {"Normalize": {"mean": [1.0], "std": [2.0]}}
    result = Augmentation([always, normalize])(RAMP.unsqueeze(0))
    assert torch.equal(result[0], (RAMP.flip(-1) - 1) / 2)
    assert Augmentation([])(RAMP) is RAMP


def test_what_is_drawn_comes_from_torchs_state() -> None:
    augment = Augmentation([SHIFT])
    images = RAMP.expand(8, 1, 8, 8)
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(augment(images))
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize(
    ("entry", "shape", "words"),
    [
        ("RandomHorizontalFlop", (1, 8, 8), "RandomHorizontalFlop: must be a transform .* mean RandomHorizontalFlip?"),
        ("qqq", (1, 8, 8), "qqq: must be a transform of torchvision.transforms.v2$"),
        ("Transform", (1, 8, 8), "Transform: must be a transform of torchvision.transforms.v2"),
        ("functional", (1, 8, 8), "functional: must be a transform"),
        ("RandomCrop", (1, 8, 8), r"RandomCrop: RandomCrop: .*missing .*'size'"),
        ({"RandomCrop": {"sise": 8}}, (1, 8, 8), r"\{RandomCrop:\{sise:8\}\}: RandomCrop: .*'sise'"),
        ({"RandomErasing": {"p": 3}}, (1, 8, 8), r"\{RandomErasing:\{p:3\}\}: RandomErasing: .*"),
        ({"LinearTransformation": {"transformation_matrix": 1, "mean_vector": 1}}, (1, 8, 8), "LinearTransformation: "),
        ({"RandomCrop": {"size": 4}}, (1, 8, 8), r"RandomCrop: gives \[1, 4, 4\]; must keep \[1, 8, 8\]"),
        ({"RandomCrop": {"size": 9}}, (1, 8, 8), r"RandomCrop: fails on \[1, 8, 8\]: .*size"),
        ({"Normalize": {"mean": [0.5, 0.5], "std": [1.0, 1.0]}}, (3, 8, 8), r"Normalize: fails on \[3, 8, 8\]"),
        ({"RandomCrop": {"size": 8}, "RandomInvert": {}}, (1, 8, 8), "must be one transform's name with its arguments"),
        ({}, (1, 8, 8), "must be one transform's name"),
        ("RandomHorizontalFlip", (5,), r"RandomHorizontalFlip: needs images \[channels, height, width\]; .* \[5\]"),
        ({"RandomCrop": {"size": 8}}, (8, 8), r"RandomCrop: needs images"),
    ],
)
def test_bad_transforms(entry: Any, shape: tuple[int, ...], words: str) -> None:
    problems = [str(problem) for problem in transform_problems("transforms", [entry], shape)]
    assert len(problems) == 1 and "\n" not in problems[0]
    with pytest.raises(InputError, match=words):
        raise InputError(transform_problems("transforms", [entry], shape))


@pytest.mark.parametrize(
    ("entry", "shape"),
    [
        ("RandomGrayscale", (2, 8, 8)),  # is applied to every tenth
        ("RandomZoomOut", (1, 8, 8)),  # to every second
        ({"RandomResize": {"min_size": 8, "max_size": 10}}, (1, 8, 8)),  # sometimes keeps the size
    ],
)
def test_what_fails_only_now_and_then_is_found_every_time(entry: Any, shape: tuple[int, ...]) -> None:
    for seed in range(20):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        assert list(transform_problems("transforms", [entry], shape))
        assert torch.equal(torch.get_rng_state(), before)


def test_all_problems_at_once_by_their_place() -> None:
    entries: list[Any] = ["RandomHorizontalFlip", "RandomCrop", {"Pad": {"padding": 1}}, SHIFT, "Nothing"]
    keys = [problem.key for problem in transform_problems("training.augmentation.transforms", entries, (1, 8, 8))]
    assert keys == [f"training.augmentation.transforms[{index}]" for index in (1, 2, 4)]


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8)])
def test_what_is_usual_is_allowed(shape: tuple[int, ...]) -> None:
    entries: list[Any] = [
        "RandomHorizontalFlip",
        SHIFT,
        {"RandomRotation": {"degrees": 10}},
        {"ColorJitter": {"brightness": 0.2}},
        {"RandomResizedCrop": {"size": 8}},
        "RandomErasing",
        "TrivialAugmentWide",
        {"RandomAffine": {"degrees": 5, "translate": [0.1, 0.1]}},
    ]
    assert not list(transform_problems("transforms", entries, shape))
    assert Augmentation(entries)(torch.rand(3, *shape)).shape == (3, *shape)
