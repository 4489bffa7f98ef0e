"""A teacher is trained once, on the pool alone, found again by what made it, and never changed."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from kdsearch.config.schema import DatasetConfig
from kdsearch.config.schema import ModelConfig
from kdsearch.config.schema import TeacherConfig
from kdsearch.config.schema import TrainingConfig
from kdsearch.data import Splits
from kdsearch.data import load_splits
from kdsearch.distiller import Distiller
from kdsearch.distiller import EvaluationSet
from kdsearch.distiller import TrainingSet
from kdsearch.distiller import distill
from kdsearch.distiller import predict
from kdsearch.errors import InputError
from kdsearch.ledger import Point
from kdsearch.recipe import Recipe
from kdsearch.storage import LocalStorage
from kdsearch.teacher import Signals
from kdsearch.teacher import Teacher
from kdsearch.teacher import ensure_teacher
from kdsearch.teacher import find_teacher
from kdsearch.teacher import train_teacher
from kdsearch.teacher.identity import network_hash

CONFIG = TeacherConfig(
    name="mlp",
    model=ModelConfig(name="mlp", hidden=(32,), dropout=0.1),
    training=TrainingConfig(steps=60, batch_size=32, evaluations=2),
)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return load_splits(DatasetConfig(name="digits", validation_count=300), seed=0).without_test()


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path)


def weights(teacher: Teacher) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in teacher.model.state_dict().values())


def files(storage: LocalStorage) -> dict[str, tuple[bytes, int]]:
    return {p: (storage.read(p), (storage.local_path / p).stat().st_mtime_ns) for p in storage.list("teachers")}


def stored(storage: LocalStorage, teacher: Teacher) -> dict[str, str]:
    """Where the description, the weights and the signals of a teacher are."""
    folder = f"teachers/{teacher.hash}"
    files = json.loads(storage.read(f"{folder}/teacher.json"))["files"]
    return {"teacher.json": f"{folder}/teacher.json"} | {name: f"{folder}/{file}" for name, file in files.items()}


def test_trained_once_and_reused(splits: Splits, storage: LocalStorage) -> None:
    first = ensure_teacher(CONFIG, splits, 0, storage)
    before = files(storage)
    again = ensure_teacher(CONFIG, splits, 0, storage)
    assert files(storage) == before
    assert sorted(before) == sorted(stored(storage, first).values())
    assert weights(again) == weights(first)
    assert again.record() == first.record()
    assert np.array_equal(again.signals.of(splits.pool.ids), first.signals.of(splits.pool.ids))


def test_training_again_gives_the_same_teacher(splits: Splits) -> None:
    assert weights(train_teacher(CONFIG, splits, 0)) == weights(train_teacher(CONFIG, splits, 0))


def test_everything_that_makes_a_teacher_is_in_its_hash(splits: Splits) -> None:
    wider = CONFIG.model_copy(update={"model": ModelConfig(name="mlp", hidden=(48,))})
    longer = CONFIG.model_copy(update={"training": CONFIG.training.model_copy(update={"steps": 61})})
    fewer = CONFIG.model_copy(update={"sample_count": 500})
    other_pool = load_splits(DatasetConfig(name="digits", validation_count=200), seed=0)
    other_data = dataclasses.replace(splits, fingerprint="0")
    hashes = {
        network_hash(CONFIG, splits, 0),
        network_hash(CONFIG, splits, 1),
        network_hash(wider, splits, 0),
        network_hash(longer, splits, 0),
        network_hash(fewer, splits, 0),
        network_hash(CONFIG, other_pool, 0),
        network_hash(CONFIG, other_data, 0),
    }
    assert len(hashes) == 7
    on_gpu = CONFIG.model_copy(update={"training": CONFIG.training.model_copy(update={"device": "cuda"})})
    assert network_hash(on_gpu, splits, 0) == network_hash(CONFIG, splits, 0)


@pytest.mark.parametrize("missing", ["teacher.json", "teacher.safetensors", "signals.safetensors"])
def test_a_half_written_teacher_is_not_reused(splits: Splits, storage: LocalStorage, missing: str) -> None:
    teacher = ensure_teacher(CONFIG, splits, 0, storage)
    storage.delete(stored(storage, teacher)[missing])
    assert find_teacher(CONFIG, splits, 0, storage) is None
    assert weights(ensure_teacher(CONFIG, splits, 0, storage)) == weights(teacher)
    assert find_teacher(CONFIG, splits, 0, storage) is not None


@pytest.mark.parametrize("damaged", ["teacher.json", "teacher.safetensors", "signals.safetensors"])
def test_a_damaged_teacher_is_not_reused(splits: Splits, storage: LocalStorage, damaged: str) -> None:
    teacher = ensure_teacher(CONFIG, splits, 0, storage)
    path = stored(storage, teacher)[damaged]
    storage.write(path, storage.read(path)[:-5])
    assert find_teacher(CONFIG, splits, 0, storage) is None
    assert weights(ensure_teacher(CONFIG, splits, 0, storage)) == weights(teacher)
    assert find_teacher(CONFIG, splits, 0, storage) is not None


def test_of_two_that_are_trained_at_once_both_sweeps_have_the_first(splits: Splits, storage: LocalStorage) -> None:
    """On a GPU they differ in the last bits: here they are made to."""
    ready = threading.Barrier(2)
    teachers: dict[int, Teacher] = {}

    def train(number: int) -> None:
        started: list[int] = []

        def differ(distiller: Distiller, point: Point) -> None:
            if not started:
                started.append(number)
                ready.wait()
            with torch.no_grad():
                next(distiller.model.parameters()).add_(number / 1000)

        teachers[number] = ensure_teacher(CONFIG, splits, 0, storage, on_evaluation=differ)

    threads = [threading.Thread(target=train, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert weights(teachers[1]) == weights(teachers[2])
    ids = splits.pool.ids
    assert np.array_equal(teachers[1].signals.of(ids), teachers[2].signals.of(ids))
    found = find_teacher(CONFIG, splits, 0, storage)
    assert found is not None and weights(found) == weights(teachers[1])


def test_a_teacher_of_an_earlier_version_is_read(splits: Splits, storage: LocalStorage) -> None:
    teacher = ensure_teacher(CONFIG, splits, 0, storage)
    places = stored(storage, teacher)
    for name, path in places.items():
        if name != "teacher.json":
            storage.write(f"teachers/{teacher.hash}/{name}", storage.read(path))
            storage.delete(path)
    description = json.loads(storage.read(places["teacher.json"]))
    del description["files"]
    storage.write(places["teacher.json"], json.dumps(description).encode())
    found = find_teacher(CONFIG, splits, 0, storage)
    assert found is not None and weights(found) == weights(teacher)


def test_signals_are_the_teachers_outputs_by_sample(splits: Splits) -> None:
    teacher = train_teacher(CONFIG, splits, 0)
    signals = teacher.signals
    assert isinstance(signals, Signals)
    assert set(signals.ids) == set(splits.pool.ids) | set(splits.validation.ids)
    samples = splits.samples(50, subset_seed=1)
    cached = teacher.signals.of(samples.ids)
    online = predict(teacher.model, torch.from_numpy(samples.inputs)).numpy()
    assert cached.dtype == np.float32
    assert np.allclose(cached, online, atol=1e-5)


def test_sees_the_pool_alone(splits: Splits) -> None:
    """Other labels outside of what it learns from leave its weights as they are."""
    config = CONFIG.model_copy(update={"sample_count": 200})
    teacher = train_teacher(config, splits, 0)
    assert teacher.sample_count == 200
    validation = dataclasses.replace(splits.validation, targets=(splits.validation.targets + 1) % 10)
    assert weights(train_teacher(config, dataclasses.replace(splits, validation=validation), 0)) == weights(teacher)
    pool = dataclasses.replace(splits.pool, targets=(splits.pool.targets + 1) % 10)
    assert weights(train_teacher(config, dataclasses.replace(splits, pool=pool), 0)) != weights(teacher)


def test_distilling_leaves_the_teacher_as_it_was(splits: Splits) -> None:
    teacher = train_teacher(CONFIG, splits, 0)
    before, signals = weights(teacher), teacher.signals.of(splits.pool.ids)
    samples = splits.samples(50, subset_seed=1)
    distill(
        ModelConfig(name="mlp", hidden=(8,)),
        Recipe("kl", 0.9, {"temperature": 4.0}),
        TrainingConfig(steps=20),
        TrainingSet.of(samples, 10, teacher.signals.of(samples.ids)),
        EvaluationSet.of(splits.validation, teacher.signals.of(splits.validation.ids)),
        seed=0,
    )
    assert weights(teacher) == before and np.array_equal(teacher.signals.of(splits.pool.ids), signals)
    assert not teacher.model.training
    assert not any(parameter.requires_grad for parameter in teacher.model.parameters())


def test_what_is_told_of_it(splits: Splits, storage: LocalStorage) -> None:
    teacher = ensure_teacher(CONFIG, splits, 0, storage)
    record = teacher.record()
    assert record["parameter_count"] == 65 * 32 + 33 * 10 and record["sample_count"] == 1047
    assert record["val_accuracy"] > 0.7 and {"val_nll", "val_ece"} <= set(record)
    description = json.loads(storage.read(f"teachers/{teacher.hash}/teacher.json"))
    assert description["metrics"] == dict(teacher.metrics)
    assert TeacherConfig.model_validate(description["config"]) == CONFIG


def test_a_diverging_teacher_names_the_key(splits: Splits) -> None:
    training = CONFIG.training.model_copy(update={"learning_rate": 1e9, "gradient_clip": None})
    with pytest.raises(InputError, match="teacher.training.learning_rate.*non-finite"):
        train_teacher(CONFIG.model_copy(update={"training": training}), splits, 0)


def test_signals_of_unknown_samples() -> None:
    signals = Signals(np.array([2, 5, 9]), np.arange(6, dtype=np.float32).reshape(3, 2))
    assert signals.of(np.array([9, 2])).tolist() == [[4.0, 5.0], [0.0, 1.0]]
    for unknown in (1, 3, 10):
        with pytest.raises(KeyError, match=str(unknown)):
            signals.of(np.array([5, unknown]))
    with pytest.raises(ValueError, match="increasing"):
        Signals(np.array([5, 2]), np.zeros((2, 2), dtype=np.float32))
