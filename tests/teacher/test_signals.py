"""Signals read from the storage in blocks are those in memory, and no more of the file is read than is asked for."""

from __future__ import annotations

import pickle
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
from kdsearch.recipe import Recipe
from kdsearch.storage import LocalStorage
from kdsearch.teacher import LessonPlan
from kdsearch.teacher import Teacher
from kdsearch.teacher import ensure_teacher
from kdsearch.teacher import give_lesson
from kdsearch.teacher import signals
from kdsearch.teacher import with_stored_signals

ALONE = TeacherConfig(name="mlp", model=ModelConfig(name="mlp", hidden=(8,)), training=TrainingConfig(steps=5))
ROW = 4 * 10


class Counting(LocalStorage):
    """Notes how many bytes each read asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.lengths: list[int] = []

    def read(self, path: str) -> bytes:
        assert not path.endswith(".safetensors"), f"{path} is read as a whole"
        return super().read(path)

    def read_part(self, path: str, start: int, length: int) -> bytes:
        self.lengths.append(length)
        return super().read_part(path, start, length)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return load_splits(DatasetConfig(name="digits", validation_count=300), seed=0).without_test()


@pytest.fixture
def teacher(splits: Splits, tmp_path: Path) -> Teacher:
    return ensure_teacher(ALONE, splits, 0, LocalStorage(tmp_path))


@pytest.mark.parametrize("block_rows", [1, 7, 100_000])
def test_any_samples_in_any_order(
    teacher: Teacher, splits: Splits, tmp_path: Path, block_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "BLOCK_BYTES", block_rows * ROW)
    storage = Counting(tmp_path)
    stored = pickle.loads(pickle.dumps(with_stored_signals(teacher, storage)))
    ids = np.random.default_rng(0).choice(np.concatenate([splits.pool.ids, splits.validation.ids]), 200)
    assert np.array_equal(stored.signals.of(ids), teacher.signals.of(ids))
    assert np.array_equal(stored.logits_of(ids), teacher.logits_of(ids))
    with pytest.raises(KeyError, match="-5"):
        stored.signals.of(np.array([-5]))


def test_no_more_is_read_than_is_asked_for(teacher: Teacher, splits: Splits, tmp_path: Path) -> None:
    storage = Counting(tmp_path)
    stored = with_stored_signals(teacher, storage)
    ids = np.sort(splits.pool.ids)
    stored.signals.of(ids[:1])
    header = sum(storage.lengths) - ROW
    assert header < 1000
    storage.lengths.clear()
    stored.signals.of(ids[3:5])
    assert sum(storage.lengths) <= ROW * (ids[4] - ids[3] + 1), "what lies between, and the header but once"


def test_blocks_are_bounded(teacher: Teacher, splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "BLOCK_BYTES", 50 * ROW)
    storage = Counting(tmp_path)
    with_stored_signals(teacher, storage).signals.of(splits.pool.ids)
    assert max(storage.lengths[2:]) <= 50 * ROW and len(storage.lengths) > len(splits.pool) // 50


def test_of_several_networks(splits: Splits, tmp_path: Path) -> None:
    both = ensure_teacher(ALONE.model_copy(update={"seeds": 2}), splits, 0, LocalStorage(tmp_path))
    stored = with_stored_signals(both, LocalStorage(tmp_path))
    ids = splits.pool.ids[:30]
    assert stored.signals.of(ids).shape == (30, 2, 10)
    assert np.array_equal(stored.signals.of(ids), both.signals.of(ids))
    assert np.array_equal(stored.logits_of(ids), both.logits_of(ids))


def test_a_lesson_is_the_same(teacher: Teacher, splits: Splits, tmp_path: Path) -> None:
    stored = with_stored_signals(teacher, LocalStorage(tmp_path))
    source = Recipe("kl", 1.0, {"temperature": 2.0}).source
    how = {"sample_count": 50, "subset_seed": 3}
    first, second = (
        give_lesson(LessonPlan(0), splits, of, source, device=torch.device("cpu"), **how).data
        for of in (teacher, stored)
    )
    assert first.signals is not None and second.signals is not None
    assert torch.equal(first.signals, second.signals) and torch.equal(first.ids, second.ids)
