"""Taps: what they read, what they leave behind, and words for layers that do not exist."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from kdsearch.errors import InputError
from kdsearch.features.capture import feature_shape
from kdsearch.features.layers import layer_paths
from kdsearch.features.tap import FeatureTap
from kdsearch.teacher.online import OnlineTeacher
from tests.features.models import CNN
from tests.features.models import IMAGES
from tests.features.models import MLP
from tests.features.models import Nested
from tests.features.models import small


def hook_count(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def modes(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]


def test_outputs_and_inputs_of_a_sequential() -> None:
    model = small(CNN)
    with FeatureTap(model, "stage2.1") as output, FeatureTap(model, "head:input") as penultimate:
        logits = model(IMAGES)
        feature_map, flattened = output.take(), penultimate.take()
    assert torch.equal(feature_map, model[:2](IMAGES))
    assert torch.equal(flattened, feature_map.flatten(1))
    assert torch.equal(model[-1](flattened), logits)


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("backbone", (3, 6, 6)),  # the first tensor in (None, {"maps": [map, vector]})
        ("backbone:input", (1, 8, 8)),
        ("backbone.blocks.0", (3, 6, 6)),
        ("backbone.blocks.1.1", (3, 6, 6)),
        ("head", (4,)),
        ("head:input", (3,)),
    ],
)
def test_nested_paths_containers_and_keywords(path: str, shape: tuple[int, ...]) -> None:
    assert feature_shape(Nested(), path, IMAGES) == shape


def test_the_gradient_goes_through_the_tap() -> None:
    model = small(CNN)
    with FeatureTap(model, "stage1.1") as tap:
        model(IMAGES)
        tap.take().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in model[:1].parameters())
    assert all(p.grad is None for p in model[1:].parameters())


def test_a_feature_is_taken_once() -> None:
    model = small(CNN)
    with FeatureTap(model, "stage2.1") as tap:
        model(IMAGES)
        tap.take()
        with pytest.raises(InputError, match=r"^layer=stage2.1: this layer does not run"):
            tap.take()


def test_a_closed_tap_leaves_nothing_behind() -> None:
    model = Nested()
    before = list(model.state_dict())
    taps = [FeatureTap(model, path) for path in ("head:input", "backbone")]
    assert hook_count(model) == 2 and list(model.state_dict()) == before
    for tap in taps:
        tap.close()
    model(IMAGES)
    assert hook_count(model) == 0
    with pytest.raises(InputError):
        taps[0].take()


def test_two_taps_on_one_layer_are_independent() -> None:
    model = small(CNN)
    with FeatureTap(model, "stage2.1") as first:
        with FeatureTap(model, "stage2.1"):
            pass
        model(IMAGES)
        assert first.take().shape == (7, 8, 2, 2)


@pytest.mark.parametrize("path", ["stage2.1", "head:input"])
def test_copies_and_pickles_of_a_tapped_model_hold_no_feature(path: str) -> None:
    model = small(CNN)
    with FeatureTap(model, path) as tap:
        plain = len(pickle.dumps(small(CNN)))
        model(IMAGES.repeat(100, 1, 1, 1))
        assert len(pickle.dumps(model)) < plain + 1000
        for clone in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert torch.equal(clone(IMAGES), model(IMAGES))
            tap.take()
            clone(IMAGES)
            with pytest.raises(InputError):
                tap.take()
            assert len(pickle.dumps(clone)) < plain + 1000


def test_a_checkpoint_of_a_tapped_model_loads_without_kdsearch() -> None:
    model, file = small(CNN), io.BytesIO()
    with FeatureTap(model, "stage2.1"):
        model(IMAGES)
        torch.save(model.state_dict(), file)
    file.seek(0)
    assert list(torch.load(file, weights_only=True)) == list(model.state_dict())


def test_paths_of_all_layers() -> None:
    assert layer_paths(Nested()) == [
        "backbone",
        "backbone.blocks",
        "backbone.blocks.0",
        "backbone.blocks.1",
        "backbone.blocks.1.0",
        "backbone.blocks.1.1",
        "head",
        "unused",
    ]


def test_a_module_with_two_names_has_both() -> None:
    shared = nn.Linear(3, 3)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    assert layer_paths(model) == ["0", "1", "2"]
    assert feature_shape(model, "2:input", torch.zeros(1, 3)) == (3,)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("backbone.block.0", "; did you mean backbone.blocks.0?"),
        ("heat:input", "; did you mean head?"),
        ("zzz", r"backbone.blocks.1.1, head, unused$"),
        ("", "must be the path of a module of Nested; it has backbone, "),
        ("head:inputs", "must be `head` for the module's output or `head:input` for its input"),
        ("head:", "must be `head` for the module's output"),
    ],
)
def test_layers_that_do_not_exist(path: str, words: str) -> None:
    with pytest.raises(InputError, match=rf"(?s)^student\.layer={path}: .*{words}"):
        FeatureTap(Nested(), path, key="student.layer")


def test_the_list_of_layers_is_short() -> None:
    with pytest.raises(InputError, match=r"it has 0, 1, .*, 11, … \(100 in all\)$"):
        FeatureTap(nn.Sequential(*(nn.Identity() for _ in range(100))), "body")


def test_layers_that_do_not_run_or_give_no_tensor() -> None:
    with pytest.raises(InputError, match=r"^teacher\.layer=unused: this layer does not run"):
        feature_shape(Nested(), "unused", IMAGES, key="teacher.layer")

    class Words(nn.Module):
        def forward(self, images: torch.Tensor) -> str:
            return "words"

    with pytest.raises(InputError, match=r"^layer=0: this layer's value is not a tensor"):
        feature_shape(nn.Sequential(Words()), "0", IMAGES)


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_a_teachers_features_in_chunks(chunk: int) -> None:
    model = small(MLP).train()  # with dropout
    model.stage1.requires_grad_(False)
    before, weights = modes(model), copy.deepcopy(model.state_dict())
    teacher = OnlineTeacher([model], torch.device("cpu"), feature="fitnet", layer="head:input")
    features = teacher.answer_all(IMAGES, chunk).features
    assert features is not None
    assert features.shape == (7, 5) and not features.requires_grad and not features.is_inference()
    assert torch.allclose(features, copy.deepcopy(model).eval()[:-1](IMAGES), atol=1e-6)
    assert modes(model) == before and hook_count(model) == 0
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    assert [p.requires_grad for p in model.parameters()] == [False, False, True, True, True, True]


def test_every_modules_mode_and_running_statistics_are_left_alone() -> None:
    model = Nested()
    before, weights = modes(model), copy.deepcopy(model.state_dict())
    assert len(set(before)) == 2  # a part of it is frozen
    feature_shape(model, "head:input", IMAGES)
    feature_shape(model, "backbone", IMAGES)
    assert modes(model) == before
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())


def test_the_mode_comes_back_after_a_failure() -> None:
    model = Nested()
    before = modes(model)
    with pytest.raises(RuntimeError):
        feature_shape(model, "head", torch.zeros(2, 5, 8, 8))
    assert modes(model) == before and hook_count(model) == 0
