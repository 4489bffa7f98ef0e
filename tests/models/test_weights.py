"""Weights from files: good ones arrive, everything else is one clear line, and no code is run."""

from __future__ import annotations

import hashlib
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch import nn

from kdsearch.config.schema import ModelConfig
from kdsearch.errors import InputError
from kdsearch.models import build_model
from kdsearch.models.weights import content_hash
from kdsearch.models.weights import load_weights
from kdsearch.models.weights import weights_problems

MLP = ModelConfig(name="mlp", hidden=(8,))
RESNET = ModelConfig(name="resnet8")
SHAPE = (3, 8, 8)


def build(config: ModelConfig = RESNET, class_count: int = 10, seed: int = 0) -> nn.Module:
    return build_model(config, SHAPE, class_count, seed)


def message(path: Path, config: ModelConfig = RESNET, class_count: int = 10) -> str:
    """The one problem with a file, which names it."""
    (problem,) = weights_problems("teacher.weights", path, config, SHAPE, class_count)
    assert (problem.key, problem.value) == ("teacher.weights", str(path))
    with pytest.raises(InputError, match="^weights="):
        load_weights(build(config, class_count), path)
    assert "\n" not in problem.allowed
    return problem.allowed


def prefixed(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": prefixed(state, "module."), "optimizer": {"state": {}, "param_groups": []}},
        lambda state: prefixed(state, "_orig_mod.module."),
    ],
)
def test_files_of_torch_save(wrap: Callable[[dict[str, Tensor]], Any], tmp_path: Path) -> None:
    saved = build(seed=1)
    saved.train()(torch.rand(4, *SHAPE))
    torch.save(wrap(saved.state_dict()), tmp_path / "w.pth")
    _assert_arrives(saved, tmp_path / "w.pth")


@pytest.mark.parametrize("prefix", ["", "module."])
def test_safetensors(prefix: str, tmp_path: Path) -> None:
    saved = build(seed=1)
    save_file(prefixed(saved.state_dict(), prefix), tmp_path / "w.safetensors")
    _assert_arrives(saved, tmp_path / "w.safetensors")


def _assert_arrives(saved: nn.Module, path: Path) -> None:
    assert weights_problems("teacher.weights", path, RESNET, SHAPE, 10) == []
    model = build(seed=2)
    load_weights(model, str(path))
    assert all(torch.equal(tensor, saved.state_dict()[name]) for name, tensor in model.state_dict().items())


def test_files_from_before_batchnorm_counted(tmp_path: Path) -> None:
    state = {name: t for name, t in build(seed=1).state_dict().items() if not name.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "w.pth")
    assert weights_problems("teacher.weights", tmp_path / "w.pth", RESNET, SHAPE, 10) == []


def batch_norm(name: str, width: int) -> dict[str, Tensor]:
    tensors = {part: torch.rand(width) for part in ("weight", "bias", "running_mean", "running_var")}
    return prefixed(tensors | {"num_batches_tracked": torch.tensor(9)}, f"{name}.")


def published_resnet8x4(class_count: int) -> dict[str, Tensor]:
    """Names and shapes of mdistiller's `resnet8x4`."""
    state = {"conv1.weight": torch.rand(32, 3, 3, 3), **batch_norm("bn1", 32)}
    for index, (before, width) in enumerate([(32, 64), (64, 128), (128, 256)], start=1):
        block = f"layer{index}.0"
        state |= {f"{block}.conv1.weight": torch.rand(width, before, 3, 3), **batch_norm(f"{block}.bn1", width)}
        state |= {f"{block}.conv2.weight": torch.rand(width, width, 3, 3), **batch_norm(f"{block}.bn2", width)}
        state |= {f"{block}.downsample.0.weight": torch.rand(width, before, 1, 1)}
        state |= batch_norm(f"{block}.downsample.1", width)
    return state | {"fc.weight": torch.rand(class_count, 256), "fc.bias": torch.rand(class_count)}


def published_wrn_10_1(class_count: int) -> dict[str, Tensor]:
    """Names and shapes of mdistiller's `wrn(depth=10, widen_factor=1)`."""
    state = {"conv1.weight": torch.rand(16, 3, 3, 3)}
    for index, (before, width) in enumerate([(16, 16), (16, 32), (32, 64)], start=1):
        block = f"block{index}.layer.0"
        state |= {f"{block}.conv1.weight": torch.rand(width, before, 3, 3), **batch_norm(f"{block}.bn1", before)}
        state |= {f"{block}.conv2.weight": torch.rand(width, width, 3, 3), **batch_norm(f"{block}.bn2", width)}
        if before != width:
            state[f"{block}.convShortcut.weight"] = torch.rand(width, before, 1, 1)
    return (
        state | batch_norm("bn1", 64) | {"fc.weight": torch.rand(class_count, 64), "fc.bias": torch.rand(class_count)}
    )


@pytest.mark.parametrize(("name", "published"), [("resnet8x4", published_resnet8x4), ("wrn_10_1", published_wrn_10_1)])
def test_checkpoints_of_mdistiller(name: str, published: Callable[[int], dict[str, Tensor]], tmp_path: Path) -> None:
    state = published(10)
    torch.save({"model": prefixed(state, "module."), "epoch": 240, "best_acc": 73.1}, tmp_path / "w.pth")
    model = build(ModelConfig(name=name))
    load_weights(model, tmp_path / "w.pth")
    assert torch.equal(model.get_parameter("head.weight"), state["fc.weight"])
    assert message_of_classes(tmp_path, ModelConfig(name=name), published(100)) == (
        "the weights are of a network with 100 classes, the data set has 10 (head.weight)"
    )


def message_of_classes(folder: Path, config: ModelConfig, state: dict[str, Tensor]) -> str:
    torch.save(state, folder / "other.pth")
    return message(folder / "other.pth", config)


@pytest.mark.parametrize("name", ["torchvision/mobilenet_v3_small", "timm/test_resnet"])
def test_other_classes_in_a_librarys_network(name: str, tmp_path: Path) -> None:
    config = ModelConfig(name=name)
    torch.save(build(config, 100).state_dict(), tmp_path / "w.pth")
    assert "a network with 100 classes, the data set has 10" in message(tmp_path / "w.pth", config)


def test_weights_of_another_network(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save(build(MLP).state_dict(), path)
    assert message(path) == (
        "the weights are of another network; it lacks conv1.weight, bn1.weight, bn1.bias and 42 more; "
        "it has stage1.0.weight, stage1.0.bias, which the network has not; "
        "shapes differ: head.weight [10, 8] in the file, [10, 64] in the network"
    )
    torch.save(build(ModelConfig(name="mlp", hidden=(9,)), 100).state_dict(), path)
    assert message(path, MLP) == (
        "the weights are of another network; "
        "shapes differ: stage1.0.weight [9, 192] in the file, [8, 192] in the network, "
        "stage1.0.bias [9] in the file, [8] in the network, "
        "head.weight [100, 9] in the file, [10, 8] in the network and 1 more"
    )


class Touch:
    """Unpickling one makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


NOT_PLAIN = "is not a plain state_dict; kdsearch loads no pickled code: save it as safetensors or with torch.save("


@pytest.mark.parametrize("suffix", [".pth", ".pkl", ".pt"])
def test_a_pickle_with_code_is_not_run(suffix: str, tmp_path: Path) -> None:
    path, trace = tmp_path / f"w{suffix}", tmp_path / "was-here"
    content = {"state_dict": build().state_dict(), "extra": Touch(trace)}
    if suffix == ".pkl":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=suffix == ".pth")
    assert message(path).startswith(NOT_PLAIN)
    assert not trace.exists()
    pickle.loads(path.read_bytes()) if suffix == ".pkl" else torch.load(path, weights_only=False)
    assert trace.exists(), "the file must be one that would have run its code"


def _whole_model(path: Path) -> None:
    torch.save(build(), path)


def _script(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated, but such files are about
        torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)), path)


def _numpy(path: Path) -> None:
    torch.save({"conv1.weight": np.zeros(3)}, path)


@pytest.mark.parametrize("write", [_whole_model, _script, _numpy])
def test_more_than_tensors(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "w.pth")
    assert message(tmp_path / "w.pth").startswith(NOT_PLAIN)


@pytest.mark.parametrize(
    ("content", "allowed"),
    [
        ({"epoch": 3, "lr": 0.1}, "holds no state_dict, but the keys epoch, lr"),
        ({}, "holds no state_dict"),
        ([1, 2], "holds no state_dict"),
        (torch.zeros(3), "holds no state_dict"),
        ({"model": {"a": torch.zeros(1)}, "ema": {"a": torch.zeros(1)}}, "several state_dicts (model, ema)"),
    ],
)
def test_no_single_state_dict(content: Any, allowed: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    assert allowed in message(tmp_path / "w.pth")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert message(tmp_path / "none.pth") == "there is no such file"
    assert message(tmp_path / "none.safetensors") == "there is no such file"
    for suffix in (".pth", ".safetensors"):
        folder = tmp_path / f"folder{suffix}"
        folder.mkdir()
        assert message(folder).startswith("cannot be read")
        (tmp_path / f"empty{suffix}").touch()
        assert "is cut short" in message(tmp_path / f"empty{suffix}")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.98])
def test_a_file_that_is_cut_short(suffix: str, kept: float, tmp_path: Path) -> None:
    path = tmp_path / f"w{suffix}"
    (torch.save if suffix == ".pth" else save_file)(build().state_dict(), path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    assert "is cut short" in message(path)


def test_text_in_place_of_weights(tmp_path: Path) -> None:
    for name in ("w.pth", "w.safetensors"):
        (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
        assert message(tmp_path / name)


def test_problems_of_the_network_come_first(tmp_path: Path) -> None:
    (problem,) = weights_problems("teacher.weights", tmp_path / "none.pth", RESNET, (64,), 10)
    assert "needs images" in problem.allowed


def test_content_hash(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"weights")
    assert content_hash(tmp_path / "w.pth") == hashlib.sha256(b"weights").hexdigest()
