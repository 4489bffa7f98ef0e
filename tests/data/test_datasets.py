"""Data sets by name, from files of the true format, and from users' functions."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from kdsearch.config.schema import DatasetConfig
from kdsearch.data import Arrays
from kdsearch.data import DatasetInfo
from kdsearch.data import describe
from kdsearch.data import digits
from kdsearch.data import load_arrays
from kdsearch.data import split
from kdsearch.data.fashion_mnist import DEBIAN_FOLDER
from kdsearch.data.fashion_mnist import FASHION_MNIST
from kdsearch.data.idx_images import FILES
from kdsearch.errors import InputError
from tests.data.files import config as built_in
from tests.data.files import write_mnist


def tiny(root: str | None = None, count: int = 20) -> Arrays:
    inputs = np.arange(count * 3, dtype=np.float64).reshape(count, 3)
    return Arrays(inputs, np.arange(count) % 2, inputs[:4], np.array([0, 1, 0, 1]), class_count=2)


def lonely(root: str | None = None) -> Arrays:
    return Arrays(np.zeros((9, 3)), np.arange(9) // 8, np.zeros((2, 3)), np.array([0, 1]), class_count=2)


def broken(root: str | None = None) -> Arrays:
    return tiny(count=0)


def wrong(root: str | None = None) -> dict[str, int]:
    return {}


def own(function: str, **changes: object) -> DatasetConfig:
    values = {"name": "mine", "validation_count": 5, "_target_": f"{__name__}.{function}", **changes}
    return DatasetConfig.model_validate(values)


def test_facts_are_those_of_the_data() -> None:
    arrays = load_arrays(DatasetConfig(name="digits", validation_count=300))
    assert digits.facts() == arrays.facts()
    assert arrays.train_inputs.dtype == np.float32 and np.asarray(arrays.train_inputs).max() == 1.0


def test_describe() -> None:
    info = describe(DatasetConfig(name="digits", validation_count=300))
    assert info == DatasetInfo("digits", 1047, 300, 450, 10, (1, 8, 8), 137 / 130, None, tuple("0123456789"))


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("name", "below", "mean", "deviation"),
    [
        ("fashion_mnist", ".", 0.2860, 0.3530),
        ("fashion_mnist", "FashionMNIST/raw", 0.2860, 0.3530),
        ("mnist", "MNIST/raw", 0.1307, 0.3081),
    ],
)
def test_idx_files(tmp_path: Path, suffix: str, name: str, below: str, mean: float, deviation: float) -> None:
    images = write_mnist(tmp_path / below, suffix)
    arrays = load_arrays(built_in(name, tmp_path))
    assert arrays.train_inputs.shape == (30, 1, 28, 28) and arrays.test_inputs.shape == (10, 1, 28, 28)
    assert arrays.train_targets.tolist() == [*range(10)] * 3
    pixels = np.asarray(arrays.train_inputs)[:, 0] * deviation + mean
    assert np.allclose(pixels * 255, images, atol=1e-3)


@pytest.mark.skipif(not DEBIAN_FOLDER.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fashion_mnist_as_debian_ships_it() -> None:
    arrays = load_arrays(DatasetConfig(name="fashion_mnist", validation_count=5000))
    assert arrays.facts() == FASHION_MNIST.published
    pixels = np.asarray(arrays.train_inputs)
    assert abs(pixels.mean()) < 0.01 and abs(pixels.std() - 1) < 0.01


def test_a_missing_folder_and_what_belongs_there(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    with pytest.raises(InputError, match="no such folder") as error:
        describe(DatasetConfig(name="fashion_mnist", root=str(folder), validation_count=5))
    assert str(folder) in str(error.value) and all(name in str(error.value) for name in FILES)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_mnist(tmp_path, ".gz")
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match="lacks t10k-labels-idx1-ubyte;"):
        describe(DatasetConfig(name="fashion_mnist", root=str(tmp_path), validation_count=5))


@pytest.mark.parametrize("damage", [b"", b"\x1f\x8b\x08", b"not gzip at all", gzip.compress(b"x" * 99)[:12] + b"?" * 9])
def test_a_damaged_file_is_named(tmp_path: Path, damage: bytes) -> None:
    write_mnist(tmp_path, ".gz")
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(damage)
    with pytest.raises(InputError, match="train-images-idx3-ubyte.gz.*not a readable IDX file"):
        load_arrays(DatasetConfig(name="fashion_mnist", root=str(tmp_path), validation_count=5))


def test_a_file_cut_short_is_named(tmp_path: Path) -> None:
    write_mnist(tmp_path, "")
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="not a readable IDX file"):
        load_arrays(DatasetConfig(name="fashion_mnist", root=str(tmp_path), validation_count=5))


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(InputError, match="cifar.*digits, fashion_mnist"):
        describe(DatasetConfig(name="cifar", validation_count=5))


def test_arguments_are_checked_all_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        describe(built_in("imagefolder", tmp_path, image_sise=32, channels=2, test_fraction=1.5))
    lines = str(error.value).splitlines()
    assert lines == [
        "dataset.arguments.channels=2: must be one of 1, 3",
        "dataset.arguments.test_fraction=1.5: must be < 1",
        "dataset.arguments.image_sise=32: unknown argument of imagefolder; did you mean image_size?",
    ]


def test_arguments_that_are_needed_and_arguments_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dataset.arguments.train=null: must be given\n.*target=null: must be given"):
        describe(built_in("table", tmp_path, train=None, target=None))
    with pytest.raises(InputError, match="dataset.arguments.size=3: unknown argument of digits; it has none"):
        describe(built_in("digits", size=3))


def test_a_class_that_cannot_be_on_both_sides() -> None:
    with pytest.raises(InputError, match="class 1 has a single sample; a validation split .* needs at least 2"):
        describe(own("lonely"))


def test_users_own_function() -> None:
    assert describe(own("tiny", arguments={"count": 30})) == DatasetInfo("mine", 25, 5, 4, 2, (3,), 1.0)
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
        ({"class_names": ("a",)}, "1 class names for 2 classes"),
        ({"vocabulary_size": 9}, "train inputs must be integers.*float64"),
        (
            {"vocabulary_size": 9, "train_inputs": [[0, 9], [0, 0], [0, 0]], "test_inputs": [[0, -1]]},
            "in 0 … 8.*0 … 9;",
        ),
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
    np.asarray(again.train_inputs)[3, 1] += 1
    assert again.fingerprint() != first.fingerprint()


def test_token_ids_stay_integers() -> None:
    tokens = np.array([[1, 2], [3, 0]], dtype=np.int32)
    arrays = Arrays(tokens, np.array([0, 1]), tokens, np.array([0, 1]), class_count=2, vocabulary_size=4)
    assert arrays.train_inputs.dtype == np.int64 and arrays.input_shape == (2,)
    splits = split(arrays, validation_count=1, seed=0)
    assert splits.vocabulary_size == 4 and splits.pool.inputs.dtype == np.int64


def test_imbalance_is_told() -> None:
    targets = np.repeat([0, 1, 2], [40, 20, 10])
    arrays = Arrays(np.zeros((70, 2)), targets, np.zeros((3, 2)), np.arange(3), class_count=4)
    splits = split(arrays, validation_count=7, seed=0)
    assert splits.class_counts == (36, 18, 9, 0) and splits.imbalance == 4
    assert arrays.facts().imbalance == 4
