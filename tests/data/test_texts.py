"""Texts as token ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kdsearch.data import describe
from kdsearch.data import load_arrays
from kdsearch.data import load_splits
from kdsearch.errors import InputError
from tests.data.files import config

TRAIN = pd.DataFrame(
    {"text": ["a good film, good!", "A bad film", "good good acting", "bad, bad sound"] * 3, "label": [1, 0, 1, 0] * 3}
)
TEST = pd.DataFrame({"text": ["good sound indeed", "Film: bad " + "bad " * 20], "label": [1, 0]})


def write(folder: Path, train: pd.DataFrame = TRAIN, test: pd.DataFrame = TEST) -> None:
    train.to_csv(folder / "train.csv", index=False)
    test.to_parquet(folder / "test.parquet")


def arguments(**changes: Any) -> dict[str, Any]:
    return {"train": "train.csv", "test": "test.parquet", "max_length": 6, **changes}


def test_words_become_ids(tmp_path: Path) -> None:
    write(tmp_path)
    arrays = load_arrays(config("text", tmp_path, **arguments()))
    train, test = np.asarray(arrays.train_inputs), np.asarray(arrays.test_inputs)
    assert train.dtype == np.int64 and train.shape == (12, 6) and test.shape == (2, 6)
    # [PAD] [UNK] and the training part's words and marks: a good bad film , ! acting sound
    assert arrays.vocabulary_size == 2 + 8
    good, film = train[0, 1], train[0, 2]
    assert train[0, 4] == good and train[1, 2] == film and train[1, 0] == train[0, 0]
    assert train[1].tolist()[3:] == [0, 0, 0] and train[0].min() > 1
    assert test[0].tolist() == [good, train[3, 3], 1, 0, 0, 0]
    assert test[1, 0] == film and test[1].min() > 0
    assert np.array_equal(train, np.asarray(load_arrays(config("text", tmp_path, **arguments())).train_inputs))


def test_the_vocabulary_is_limited_to_the_most_frequent_words(tmp_path: Path) -> None:
    write(tmp_path)
    limited = arguments(vocabulary_limit=4, lowercase=False)
    arrays = load_arrays(config("text", tmp_path, **limited))
    assert arrays.vocabulary_size == 4
    assert np.asarray(arrays.train_inputs)[2].tolist() == [2, 2, 1, 0, 0, 0]


def test_splits_of_a_single_file_keep_the_vocabulary_size(tmp_path: Path) -> None:
    write(tmp_path)
    splits = load_splits(config("text", tmp_path, **arguments(test=None, test_fraction=0.5)), seed=0)
    assert splits.vocabulary_size is not None and splits.class_names == ("0", "1")
    assert len(splits.test("confirmation")) == 6 and np.asarray(splits.pool.inputs).max() < splits.vocabulary_size
    info = describe(config("text", tmp_path, **arguments()))
    assert info.vocabulary_size == 10 and info.input_shape == (6,)


def test_what_is_wrong_with_texts_is_told_at_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        TRAIN.assign(text=["", " ", *TRAIN["text"][2:]], label=[None, *TRAIN["label"][1:]]),
        TEST.assign(text=[1, 2]),
    )
    with pytest.raises(InputError) as error:
        describe(config("text", tmp_path, **arguments()))
    assert str(error.value).replace(f"{tmp_path}/", "").splitlines() == [
        "dataset.arguments.train=train.csv: column text has 1 row without a value; fill or drop them",
        "dataset.arguments.train=train.csv: column label has 1 row without a value; fill or drop them",
        "dataset.arguments.train=train.csv: column text has 1 row without a word",
        "dataset.arguments.test=test.parquet: column text must hold text; 1 is not",
    ]
    with pytest.raises(InputError, match="dataset.arguments.text=txt: is no column of .*did you mean text"):
        describe(config("text", tmp_path, **arguments(text="txt")))
