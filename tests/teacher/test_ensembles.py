"""Teachers of several networks, and those whose weights are brought along: stored, found again, told apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from kdsearch.config.schema import DatasetConfig
from kdsearch.config.schema import ModelConfig
from kdsearch.config.schema import TeacherConfig
from kdsearch.config.schema import TrainingConfig
from kdsearch.data import Splits
from kdsearch.data import load_splits
from kdsearch.errors import InputError
from kdsearch.models import build_model
from kdsearch.storage import LocalStorage
from kdsearch.teacher import ensure_teacher
from kdsearch.teacher import find_teacher
from kdsearch.teacher import train_teacher
from kdsearch.teacher.identity import network_hash
from kdsearch.teacher.identity import network_seed
from tests.distiller.teachers import fingerprint

MODEL = ModelConfig(name="mlp", hidden=(12,))
TRAINING = TrainingConfig(steps=30, batch_size=32, evaluations=1)
ALONE = TeacherConfig(name="small", model=MODEL, training=TRAINING)
THREE = ALONE.model_copy(update={"seeds": 3})
MEMBER = TeacherConfig(name="wide", model=ModelConfig(name="mlp", hidden=(20,)), training=TRAINING)
MIXED = ALONE.model_copy(update={"seeds": 2, "members": {"wide": MEMBER}})


@pytest.fixture(scope="module")
def splits() -> Splits:
    return load_splits(DatasetConfig(name="digits", validation_count=300), seed=0).without_test()


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "kept")


def modified(storage: LocalStorage) -> dict[str, int]:
    return {path: (storage.local_path / path).stat().st_mtime_ns for path in storage.list("teachers")}


def test_every_network_is_kept_by_itself_and_found_again(splits: Splits, storage: LocalStorage) -> None:
    assert find_teacher(THREE, splits, 0, storage) is None
    teacher = ensure_teacher(THREE, splits, 0, storage)
    hashes = [network.hash for network in teacher.networks]
    assert len(set(hashes)) == 3 and teacher.hash not in hashes
    assert {path.split("/")[1] for path in storage.list("teachers")} == set(hashes)
    before = modified(storage)
    again = ensure_teacher(THREE, splits, 0, storage)
    found = find_teacher(THREE, splits, 0, storage)
    assert modified(storage) == before and found is not None
    for other in (again, found):
        assert [fingerprint(n.model) for n in other.networks] == [fingerprint(n.model) for n in teacher.networks]
        assert np.array_equal(other.signals.of(splits.pool.ids), teacher.signals.of(splits.pool.ids))
        assert other.record() == teacher.record() and other.hash == teacher.hash
    assert len({fingerprint(network.model) for network in teacher.networks}) == 3
    for index, name in enumerate(hashes):
        assert json.loads(storage.read(f"teachers/{name}/teacher.json"))["seed"] == network_seed(0, index)


def test_the_first_network_is_the_teacher_alone_and_more_add_to_them(splits: Splits, storage: LocalStorage) -> None:
    alone = ensure_teacher(ALONE, splits, 0, storage)
    before = modified(storage)
    three = ensure_teacher(THREE, splits, 0, storage)
    assert three.networks[0].hash == alone.hash
    assert {path: time for path, time in modified(storage).items() if path in before} == before
    mixed = ensure_teacher(MIXED, splits, 0, storage)
    assert [n.hash for n in mixed.networks[:2]] == [n.hash for n in three.networks[:2]]
    assert mixed.networks[2].hash == network_hash(MEMBER, splits, 0)
    assert len({alone.hash, three.hash, mixed.hash}) == 3


def test_a_missing_network_is_trained_again_alone(splits: Splits, storage: LocalStorage) -> None:
    teacher = ensure_teacher(THREE, splits, 0, storage)
    before = modified(storage)
    lost = teacher.networks[1].hash
    storage.delete(f"teachers/{lost}/teacher.json")
    assert find_teacher(THREE, splits, 0, storage) is None
    again = ensure_teacher(THREE, splits, 0, storage)
    assert {path.split("/")[1] for path, time in modified(storage).items() if before[path] != time} == {lost}
    assert fingerprint(again.networks[1].model) == fingerprint(teacher.networks[1].model)


def test_what_several_say_together(splits: Splits) -> None:
    teacher = train_teacher(MIXED, splits, 0)
    ids = splits.validation.ids[:40]
    assert teacher.signals.of(ids).shape == (40, 3, 10)
    images = torch.from_numpy(np.asarray(splits.validation.inputs[:40]))
    with torch.no_grad():
        p = torch.stack([network.model(images).softmax(dim=-1) for network in teacher.networks]).mean(dim=0)
    assert np.allclose(teacher.logits_of(ids), p.log().numpy(), atol=1e-4)
    accuracy = (teacher.logits_of(splits.validation.ids).argmax(axis=1) == splits.validation.targets).mean()
    assert teacher.metrics["val_accuracy"] == pytest.approx(accuracy)
    assert teacher.record()["networks"] == [network.record() for network in teacher.networks]
    assert teacher.parameter_count == sum(network.parameter_count for network in teacher.networks)
    with pytest.raises(ValueError, match="3 networks"):
        teacher.model  # noqa: B018


def file_of(model: torch.nn.Module, path: Path) -> str:
    state = model.state_dict()
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
    return str(path)


def brought(path: str, **changes: Any) -> TeacherConfig:
    return ALONE.model_copy(update={"weights": path, **changes})


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt"])
def test_weights_from_a_file_are_taken_as_they_are(
    splits: Splits, storage: LocalStorage, tmp_path: Path, name: str
) -> None:
    own = build_model(MODEL, (1, 8, 8), 10, seed=77)
    config = brought(file_of(own, tmp_path / name))
    teacher = ensure_teacher(config, splits, 0, storage)
    for key, tensor in own.state_dict().items():
        assert torch.equal(teacher.model.state_dict()[key], tensor)
    assert teacher.sample_count == 0 and not teacher.model.training
    with torch.no_grad():
        expected = own(torch.from_numpy(np.asarray(splits.validation.inputs)))
    assert np.allclose(teacher.signals.of(splits.validation.ids), expected.numpy(), atol=1e-5)
    found = find_teacher(config, splits, 0, storage)
    assert found is not None and fingerprint(found.model) == fingerprint(teacher.model)
    assert found.record() == teacher.record()


def test_brought_weights_are_known_by_their_content(splits: Splits, tmp_path: Path) -> None:
    first, second = (build_model(MODEL, (1, 8, 8), 10, seed=seed) for seed in (1, 2))
    path = file_of(first, tmp_path / "a.safetensors")
    copy = file_of(first, tmp_path / "b.safetensors")
    longer = TRAINING.model_copy(update={"steps": 99})
    name = network_hash(brought(path), splits, 0)
    assert network_hash(brought(copy), splits, 0) == name
    assert network_hash(brought(path, training=longer), splits, 5) == name  # neither says anything about them
    assert network_hash(ALONE, splits, 0) != name
    file_of(second, tmp_path / "a.safetensors")
    assert network_hash(brought(path), splits, 0) != name


def test_brought_and_trained_networks_together(splits: Splits, storage: LocalStorage, tmp_path: Path) -> None:
    own = build_model(MEMBER.model, (1, 8, 8), 10, seed=77)
    member = MEMBER.model_copy(update={"weights": file_of(own, tmp_path / "w.pt")})
    teacher = ensure_teacher(ALONE.model_copy(update={"members": {"own": member}}), splits, 0, storage)
    assert [network.sample_count for network in teacher.networks] == [len(splits.pool), 0]
    assert teacher.sample_count == len(splits.pool)


def test_a_file_that_is_not_there(splits: Splits, storage: LocalStorage, tmp_path: Path) -> None:
    config = brought(str(tmp_path / "nothing.pt"))
    with pytest.raises(InputError, match=r"weights=.*nothing.pt: (cannot be read|there is no such file)"):
        ensure_teacher(config, splits, 0, storage)
    with pytest.raises(InputError, match=r"weights=.*nothing.pt: there is no such file"):
        train_teacher(config, splits, 0)


def test_weights_of_another_network(splits: Splits, storage: LocalStorage, tmp_path: Path) -> None:
    path = file_of(build_model(MODEL, (1, 8, 8), 7, seed=0), tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="7 classes, the data set has 10"):
        ensure_teacher(brought(path), splits, 0, storage)
    assert not storage.list("teachers")
