"""Arrays in `.npz` files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdsearch.data import describe
from kdsearch.data import load_arrays
from kdsearch.errors import InputError
from tests.data.files import config

GOOD: dict[str, Any] = {
    "train_inputs": np.random.default_rng(0).normal(size=(12, 3)),
    "train_targets": np.arange(12) % 3,
    "test_inputs": np.zeros((3, 3), dtype=np.float32),
    "test_targets": np.arange(3),
}


def test_arrays_are_taken_as_they_are(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", **GOOD)
    arrays = load_arrays(config("npz", tmp_path / "mine.npz"))
    assert np.array_equal(np.asarray(arrays.train_inputs), GOOD["train_inputs"].astype(np.float32))
    assert arrays.class_count == 3 and arrays.vocabulary_size is None
    assert load_arrays(config("npz", tmp_path / "mine.npz", class_count=5)).class_count == 5


def test_token_ids(tmp_path: Path) -> None:
    tokens = {"train_inputs": np.ones((12, 4), dtype=np.uint16), "test_inputs": np.zeros((3, 4), dtype=np.uint16)}
    np.savez_compressed(tmp_path / "tokens.npz", **GOOD | tokens)
    info = describe(config("npz", tmp_path / "tokens.npz", vocabulary_size=2))
    assert info.vocabulary_size == 2 and info.input_shape == (4,)
    with pytest.raises(InputError, match="token ids in 0 … 0, found 1 … 1"):
        describe(config("npz", tmp_path / "tokens.npz", vocabulary_size=1))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train_targets": np.array(["a"] * 12)}, ["train_targets must hold integers, not <U1"]),
        ({"train_inputs": np.array([[object()]] * 12)}, ["train_inputs holds Python objects, which are not read"]),
        ({"train_inputs": np.full((12, 3), np.nan)}, ["train inputs hold values that are not finite"]),
        ({"test_inputs": np.zeros((3, 4))}, ["shape [3] and test inputs [4]"]),
        ({"test_targets": np.zeros(3)}, ["test_targets must hold integers, not float64"]),
        (
            {"train_inputs": None, "test_inputs": None, "test_targets": np.array([None] * 3)},
            ["lacks train_inputs, test_inputs; it must hold", "test_targets holds Python objects"],
        ),
    ],
)
def test_files_that_are_refused(tmp_path: Path, changes: dict[str, Any], words: list[str]) -> None:
    arrays = {name: array for name, array in (GOOD | changes).items() if array is not None}
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(InputError) as error:
        describe(config("npz", tmp_path / "mine.npz"))
    lines = str(error.value).splitlines()
    assert len(lines) == len(words)
    assert all(word in line for word, line in zip(words, lines, strict=True))


def test_what_is_no_npz_file(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "text.npz").write_text("not a zip file")
    np.savez(tmp_path / "cut.npz", **GOOD)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "cut.npz").read_bytes()[:300])
    for name, words in (("one.npy", "not one array"), ("text.npz", "not a readable"), ("cut.npz", "not a readable")):
        with pytest.raises(InputError, match=words):
            describe(config("npz", tmp_path / name))
    for root, words in ((tmp_path / "no.npz", "no such file"), (None, "dataset.root=null: must be given")):
        with pytest.raises(InputError, match=words):
            describe(config("npz", root))
