"""Local data sets of the library `datasets`: images, texts, tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import ClassLabel
from datasets import Dataset
from datasets import DatasetDict
from datasets import Features
from datasets import Image
from datasets import Value

from kdsearch.data import describe
from kdsearch.data import load_arrays
from kdsearch.errors import InputError
from tests.data.files import config
from tests.data.files import write_image


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


def table(rows: int) -> Dataset:
    columns = {"size": [float(row) for row in range(rows)], "kind": ["a", "b", "b", "a"] * (rows // 4)}
    names = ClassLabel(names=["zebra", "ant"])
    features = Features({"size": Value("float32"), "kind": Value("string"), "label": names})
    return Dataset.from_dict(columns | {"label": [0, 1] * (rows // 2)}, features=features)


def images(folder: Path, rows: int) -> Dataset:
    for row in range(rows):
        write_image(folder / f"{row}.png", seed=row, size=(12, 9))
    columns = {"image": [str(folder / f"{row}.png") for row in range(rows)], "label": [0, 1] * (rows // 2)}
    return Dataset.from_dict(columns, features=Features({"image": Image(), "label": ClassLabel(names=["b", "a"])}))


def save(folder: Path, train: Dataset, test: Dataset) -> Path:
    DatasetDict(train=train, test=test).save_to_disk(str(folder / "saved"))
    return folder / "saved"


def problems_of(root: Path | None, **arguments: Any) -> list[str]:
    with pytest.raises(InputError) as error:
        describe(config("huggingface", root, **arguments))
    return str(error.value).splitlines()


def test_a_table_from_disk(tmp_path: Path) -> None:
    arrays = load_arrays(config("huggingface", save(tmp_path, table(12), table(4))))
    assert arrays.class_names == ("zebra", "ant") and arrays.train_targets.tolist() == [0, 1] * 6
    assert arrays.input_shape == (3,) and np.asarray(arrays.test_inputs)[0, 1:].tolist() == [1, 0]


def test_a_folder_of_parquet_files(tmp_path: Path) -> None:
    table(12).to_parquet(str(tmp_path / "train.parquet"))
    table(4).to_parquet(str(tmp_path / "test.parquet"))
    info = describe(config("huggingface", tmp_path))
    assert (info.pool_count, info.test_count, info.class_names) == (8, 4, ("zebra", "ant"))


def test_one_split_of_texts(tmp_path: Path) -> None:
    Dataset.from_dict({"words": ["good", "bad"] * 6, "mood": ["up", "down"] * 6}).save_to_disk(str(tmp_path / "one"))
    arguments: dict[str, Any] = {"text": "words", "target": "mood", "test_split": None, "max_length": 3}
    arrays = load_arrays(config("huggingface", tmp_path / "one", **arguments))
    assert arrays.vocabulary_size == 4 and arrays.class_names == ("down", "up")
    assert len(arrays.test_targets) == 2 and arrays.input_shape == (3,)


@pytest.mark.parametrize("test_split", ["test", None])
def test_images_with_their_labels(tmp_path: Path, test_split: str | None) -> None:
    root = save(tmp_path, images(tmp_path / "train", 8), images(tmp_path / "test", 4))
    arrays = load_arrays(config("huggingface", root, image="image", image_size=6, test_split=test_split))
    assert arrays.input_shape == (3, 6, 6) and arrays.class_names == ("b", "a")
    assert len(arrays.train_targets) == (8 if test_split else 6)
    first = load_arrays(config("huggingface", root, image="image", image_size=6))
    label_of = dict(zip(map(bytes, np.asarray(first.train_inputs)), first.train_targets, strict=True))
    pixels = map(bytes, np.asarray(arrays.train_inputs))
    assert [label_of[image] for image in pixels] == arrays.train_targets.tolist()


def test_what_is_not_there(tmp_path: Path) -> None:
    root = save(tmp_path, table(12), table(4))
    lines = problems_of(root, train_split="trian", test_split="validation")
    assert lines == [
        "dataset.arguments.train_split=trian: must be one of train, test; did you mean train?",
        "dataset.arguments.test_split=validation: must be one of train, test",
    ]
    assert "target=lable: is no column of train or test; did you mean label?" in problems_of(root, target="lable")[0]
    assert "image=picture: is no column of" in problems_of(root, image="picture")[0]
    assert "text=words: is no column of" in problems_of(root, text="words")[0]
    assert "no such folder" in problems_of(tmp_path / "nowhere")[0]
    (tmp_path / "nothing").mkdir()
    assert "cannot be loaded" in problems_of(tmp_path / "nothing")[0]
    assert "path=null: must be a name on the hub, or null and dataset.root" in problems_of(None)[0]
    assert "must be null, because image is set" in problems_of(root, image="a", text="b")[0]


def test_rows_without_a_label_or_with_a_broken_image(tmp_path: Path) -> None:
    pictures = images(tmp_path / "train", 8)
    (tmp_path / "train" / "3.png").write_bytes(b"not an image")
    labels = table(12).map(lambda row: {"label": -1 if row["size"] < 2 else row["label"]}, load_from_cache_file=False)
    broken = save(tmp_path / "images", Dataset.from_dict({"image": [str(tmp_path / "train" / "3.png")]}), pictures)
    assert "label: is no column of train" in problems_of(broken, image="image")[0]
    unlabelled = save(tmp_path / "labels", labels, table(4))
    assert "train: column label has 2 rows without a value" in problems_of(unlabelled)[0]
    root = tmp_path / "test"
    DatasetDict(train=pictures, test=images(root, 4)).save_to_disk(str(tmp_path / "pictures"))
    lines = problems_of(tmp_path / "pictures", image="image")
    assert len(lines) == 1 and "column image, row 3 is not a readable image" in lines[0]
