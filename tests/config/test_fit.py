"""Networks, weights, layers, data that don't go together: told by `kdsearch sweep` before anything is written."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn

from kdsearch.cli import main
from kdsearch.config.schema import ModelConfig
from kdsearch.errors import ExitCode
from kdsearch.models import build_model
from tests.data.files import write_folders

MLP = ModelConfig(name="mlp", hidden=(16,))
HIDDEN = "teacher.model.hidden=[16]"
SMALL = ("dataset.validation_count=10", "sample_counts=[12]")
FEATURE = "search_space.parameters.feature_objective.choices"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Refusal:
    """Runs `kdsearch sweep` and gives the problems it names; nothing may be written."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys

    def __call__(self, *overrides: str) -> list[str]:
        before = sorted(self._folder.rglob("*"))
        assert main(["sweep", *overrides]) == ExitCode.BAD_INPUT
        assert sorted(self._folder.rglob("*")) == before
        shown = self._capsys.readouterr()
        assert shown.out == ""
        lines = shown.err.splitlines()
        assert all(line.startswith("kdsearch: error: ") for line in lines), shown.err
        return [line.removeprefix("kdsearch: error: ") for line in lines]


@pytest.fixture
def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> Refusal:
    return Refusal(folder, capsys)


def table(folder: Path, **columns: Any) -> tuple[str, ...]:
    """A table in a file of its own, with the class `income`."""
    pd.DataFrame({**columns, "income": ["low", "high"] * 20}).to_csv(folder / "adult.csv", index=False)
    return ("dataset=table", f"dataset.root={folder}", "dataset.arguments.train=adult.csv", TARGET, *SMALL)


TARGET = "dataset.arguments.target=income"


def texts(folder: Path) -> tuple[str, ...]:
    pd.DataFrame({"text": ["good film", "bad film"] * 20, "label": [1, 0] * 20}).to_csv(folder / "t.csv", index=False)
    return ("dataset=text", f"dataset.root={folder}", "dataset.arguments.train=t.csv", *SMALL)


# Data


def test_a_table_with_missing_values(folder: Path, refused: Refusal) -> None:
    [line] = refused(*table(folder, age=[None, *range(39)]))
    assert line.startswith("dataset.arguments.train=") and "column age has 1 row without a value" in line


def test_a_category_that_training_never_has(folder: Path, refused: Refusal) -> None:
    words = table(folder, color=["red", "green"] * 20)
    (folder / "adult.csv").rename(folder / "test.csv")
    table(folder, color=["red", "blue"] * 20)
    [line] = refused(*words, "dataset.arguments.test=test.csv")
    assert line.startswith("dataset.arguments.test=") and "column color holds green in 20 rows" in line


def test_one_unreadable_image(folder: Path, refused: Refusal) -> None:
    write_folders(folder / "flowers", count=20)
    (folder / "flowers" / "cat" / "7.png").write_bytes(b"no image")
    [line] = refused("dataset=imagefolder", f"dataset.root={folder}/flowers", *SMALL)
    assert "cat/7.png" in line and "is not a readable image" in line


# Networks and data


@pytest.mark.parametrize("name", ["resnet20", "cnn", "wrn_16_2", "transformer"])
def test_networks_that_read_no_tables(name: str, folder: Path, refused: Refusal) -> None:
    [line] = refused(*table(folder, age=range(40)), f"student={name}")
    assert line.startswith(f"student={name}: needs ") and "the data set's inputs are [1]" in line


def test_networks_that_read_no_texts(folder: Path, refused: Refusal) -> None:
    lines = refused(*texts(folder), "student=resnet20", "teacher=[transformer,small]")
    assert [line.split(": ")[0] for line in lines] == ["student=resnet20", "teachers.small.model=mlp"]
    assert all("can't read token ids" in line for line in lines)


def test_a_teacher_that_is_shared_is_named_once(folder: Path, refused: Refusal) -> None:
    [line] = refused(*table(folder, age=range(40)), "teacher=[cnn,self]")
    assert line.startswith("teacher.model=cnn: needs images")


def test_augmentation_of_a_table(folder: Path, refused: Refusal) -> None:
    augmentation = "training.augmentation.transforms=[RandomHorizontalFlip]"
    [line] = refused(*table(folder, age=range(40)), "training.augmentation.mode=online", augmentation)
    assert line.startswith("training.augmentation.transforms=RandomHorizontalFlip: needs images")


class OneLogitMore(nn.Linear):
    def __init__(self, input_shape: tuple[int, ...], class_count: int) -> None:
        super().__init__(input_shape[-1], class_count + 1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(inputs.flatten(1))


@pytest.mark.parametrize("key", ["student", "teacher.model"])
def test_a_users_network_of_another_class_count(key: str, folder: Path, refused: Refusal) -> None:
    own = f"{key}._target_=tests.config.test_fit.OneLogitMore"
    [line] = refused(*table(folder, age=range(40)), own)
    assert line.startswith(f"{key}=tests.config.test_fit.OneLogitMore: ")
    assert "must give logits [1,2] for one sample, not [1, 3]" in line


def test_a_users_network_that_cannot_be_made(refused: Refusal) -> None:
    [line] = refused("student._target_=torch.nn.Linear")
    assert line.startswith("student._target_=torch.nn.Linear: failed with TypeError")


# Weights


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("executed",)


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_untrusted_pickle_is_never_run(wrapped: bool, folder: Path, refused: Refusal) -> None:
    if wrapped:
        torch.save({"head.weight": Payload()}, folder / "teacher.pt")
    else:
        (folder / "teacher.pt").write_bytes(pickle.dumps(Payload()))
    [line] = refused("teacher.weights=teacher.pt")
    assert line.startswith(f"teacher.weights={folder}/teacher.pt: is not a plain state_dict")
    assert not (folder / "executed").exists()


def test_a_pickled_module_is_told_how_to_save(folder: Path, refused: Refusal) -> None:
    torch.save(build_model(MLP, (1, 8, 8), 10, 0), folder / "teacher.pt")
    [line] = refused(HIDDEN, "teacher.weights=teacher.pt")
    assert "torch.save(model.state_dict())" in line


def test_weights_of_another_class_count(folder: Path, refused: Refusal) -> None:
    torch.save(build_model(MLP, (1, 8, 8), 7, 0).state_dict(), folder / "seven.pt")
    [line] = refused(HIDDEN, "teacher.weights=seven.pt")
    assert "are of a network with 7 classes, the data set has 10" in line
    [line] = refused("teacher=[self,small]", "teachers.small.model.hidden=[16]", "teachers.small.weights=seven.pt")
    assert line.startswith("teachers.small.weights=") and "7 classes" in line


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_published_weights_of_another_class_count(library: str, refused: Refusal) -> None:
    [line] = refused(f"teacher={library}", "teacher.weights=pretrained")
    assert line.startswith("teacher.weights=pretrained: ") and "1000 classes, the data set has 10" in line


def test_weights_that_are_not_there_or_another_networks(folder: Path, refused: Refusal) -> None:
    [line] = refused("teacher.weights=nowhere.pt")
    assert line == f"teacher.weights={folder}/nowhere.pt: there is no such file"
    torch.save(build_model(MLP, (1, 8, 8), 10, 0).state_dict(), folder / "ten.pt")
    [line] = refused("teacher.model.hidden=[8]", "teacher.weights=ten.pt")
    assert "the weights are of another network" in line
    [line] = refused(HIDDEN, "teacher.weights=ten.pt", "teacher.seeds=2")
    assert line == "teacher.seeds=2: must be 1 where `weights` are given: they are one network's"


# Feature objectives


def test_feature_objectives_need_one_network(refused: Refusal) -> None:
    [line] = refused(f"{FEATURE}=[none,rkd]", "teacher.seeds=2")
    assert line == "teacher=mlp: feature objectives need a teacher of one network; this one has several"
    [line] = refused(f"{FEATURE}=[rkd]", "teacher=[self,small]", "teachers.small.seeds=2")
    assert line.startswith("teachers.small=small: feature objectives need")


def test_feature_objectives_need_their_layer(refused: Refusal) -> None:
    [line] = refused(f"{FEATURE}=[attention]")
    assert line.startswith("features.student_layer=null: attention needs a feature map")
    [line] = refused(f"{FEATURE}=[rkd]", "student.hidden=[]")
    assert line.startswith("features.student_layer=null: ") and "no linear layer behind other layers" in line
    for side in ("student", "teacher"):
        [line] = refused(f"{FEATURE}=[rkd]", f"features.{side}_layer=stage9")
        assert line.startswith(f"features.{side}_layer=stage9: must be the path of a module") and "stage1" in line


def test_an_unknown_feature_objective_is_told_once(refused: Refusal) -> None:
    [line] = refused(f"{FEATURE}=[rkd,hint]")
    assert line.startswith(f"{FEATURE}=hint: must be one of none, fitnet")
