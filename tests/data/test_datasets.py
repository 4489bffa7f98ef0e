"""Data sets by name, from files of the true format, and from users' functions."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from kdsearch.config.schema import DatasetConfig
from kdsearch.data import DATASETS
from kdsearch.data import Arrays
from kdsearch.data import DatasetInfo
from kdsearch.data import describe
from kdsearch.data import load_arrays
from kdsearch.data.fashion_mnist import DEBIAN_FOLDER
from kdsearch.data.fashion_mnist import FILES
from kdsearch.errors import InputError


def tiny(root: str | None = None, count: int = 20) -> Arrays:
    inputs = np.arange(count * 3, dtype=np.float64).reshape(count, 3)
    return Arrays(inputs, np.arange(count) % 2, inputs[:4], np.array([0, 1, 0, 1]), class_count=2)  # type: ignore[arg-type]


def broken(root: str | None = None) -> Arrays:
    return tiny(count=0)


def wrong(root: str | None = None) -> dict[str, int]:
    return {}


def own(function: str, **changes: object) -> DatasetConfig:
    values = {"name": "mine", "validation_count": 5, "_target_": f"{__name__}.{function}", **changes}
    return DatasetConfig.model_validate(values)


def write_idx(path: Path, array: np.ndarray) -> None:
    content = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_fashion_mnist(folder: Path, suffix: str) -> np.ndarray:
    images = np.random.default_rng(0).integers(0, 256, (30, 28, 28), dtype=np.uint8)
    labels = (np.arange(30) % 10).astype(np.uint8)
    for name, array in zip(FILES, (images, labels, images[:10], labels[:10]), strict=True):
        write_idx(folder / (name + suffix), array)
    return images


def test_facts_are_those_of_the_data() -> None:
    facts, arrays = DATASETS["digits"], load_arrays(DatasetConfig(name="digits", validation_count=300))
    assert (facts.train_count, facts.test_count) == (len(arrays.train_targets), len(arrays.test_targets))
    assert (facts.class_count, facts.input_shape) == (arrays.class_count, arrays.input_shape)
    assert arrays.train_inputs.dtype == np.float32 and arrays.train_inputs.max() == 1.0


def test_describe() -> None:
    info = describe(DatasetConfig(name="digits", validation_count=300))
    assert info == DatasetInfo("digits", 1047, 300, 450, 10, (1, 8, 8))


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("below", [".", "FashionMNIST/raw"])
def test_fashion_mnist_from_files(tmp_path: Path, suffix: str, below: str) -> None:
    images = write_fashion_mnist(tmp_path / below, suffix)
    arrays = load_arrays(DatasetConfig(name="fashion_mnist", root=str(tmp_path), validation_count=5))
    assert arrays.train_inputs.shape == (30, 1, 28, 28) and arrays.test_inputs.shape == (10, 1, 28, 28)
    assert arrays.train_targets.tolist() == [*range(10)] * 3
    pixels = arrays.train_inputs[:, 0] * 0.3530 + 0.2860
    assert np.allclose(pixels * 255, images, atol=1e-3)


@pytest.mark.skipif(not DEBIAN_FOLDER.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fashion_mnist_as_debian_ships_it() -> None:
    arrays = load_arrays(DatasetConfig(name="fashion_mnist", validation_count=5000))
    facts = DATASETS["fashion_mnist"]
    assert (len(arrays.train_targets), len(arrays.test_targets)) == (facts.train_count, facts.test_count)
    assert np.bincount(arrays.train_targets).tolist() == [6000] * 10
    assert abs(arrays.train_inputs.mean()) < 0.01 and abs(arrays.train_inputs.std() - 1) < 0.01


def test_a_missing_folder_and_what_belongs_there(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    with pytest.raises(InputError, match="no such folder") as error:
        describe(DatasetConfig(name="fashion_mnist", root=str(folder), validation_count=5))
    assert str(folder) in str(error.value) and all(name in str(error.value) for name in FILES)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_fashion_mnist(tmp_path, ".gz")
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match="lacks t10k-labels-idx1-ubyte;"):
        describe(DatasetConfig(name="fashion_mnist", root=str(tmp_path), validation_count=5))


@pytest.mark.parametrize("damage", [b"", b"\x1f\x8b\x08", b"not gzip at all", gzip.compress(b"x" * 99)[:12] + b"?" * 9])
def test_a_damaged_file_is_named(tmp_path: Path, damage: bytes) -> None:
    write_fashion_mnist(tmp_path, ".gz")
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(damage)
    with pytest.raises(InputError, match="train-images-idx3-ubyte.gz.*not a readable IDX file"):
        load_arrays(DatasetConfig(name="fashion_mnist", root=str(tmp_path), validation_count=5))


def test_a_file_cut_short_is_named(tmp_path: Path) -> None:
    write_fashion_mnist(tmp_path, "")
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="not a readable IDX file"):
        load_arrays(DatasetConfig(name="fashion_mnist", root=str(tmp_path), validation_count=5))


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(InputError, match="cifar.*digits, fashion_mnist"):
        describe(DatasetConfig(name="cifar", validation_count=5))


def test_users_own_function() -> None:
    assert describe(own("tiny", arguments={"count": 30})) == DatasetInfo("mine", 25, 5, 4, 2, (3,))
    assert load_arrays(own("tiny", root="somewhere")).train_inputs.dtype == np.float32


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (own("missing"), "cannot be imported"),
        (own("tiny", arguments={"no_such_argument": 1}), "TypeError"),
        (own("broken"), "N > 0"),
        (own("wrong"), "must return kdsearch.data.Arrays, not dict"),
        (own("tiny", validation_count=20), "dataset.validation_count=20: must be below 20"),
    ],
)
def test_functions_that_do_not_work(config: DatasetConfig, words: str) -> None:
    with pytest.raises(InputError, match=words):
        describe(config)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train_targets": [0, 1, 2]}, "targets must lie in 0 … 1"),
        ({"train_targets": [0, 1]}, r"\[3, 2\] and \[2\]"),
        ({"train_inputs": [[0.0, 1.0], [0.0, float("nan")], [0.0, 1.0]]}, "not finite"),
        ({"test_inputs": [[0.0]]}, r"shape \[2\] and test inputs \[1\]"),
        ({"class_count": 1}, "at least 2"),
    ],
)
def test_arrays_that_are_refused(changes: dict[str, object], words: str) -> None:
    good = {
        "train_inputs": np.zeros((3, 2)),
        "train_targets": [0, 1, 0],
        "test_inputs": np.zeros((1, 2)),
        "test_targets": [0],
        "class_count": 2,
    }
    Arrays(**good)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=words):
        Arrays(**{**good, **changes})  # type: ignore[arg-type]


def test_a_fingerprint_is_of_the_content() -> None:
    first, again, other = tiny(), tiny(), tiny(count=22)
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()
    again.train_inputs[3, 1] += 1
    assert again.fingerprint() != first.fingerprint()
