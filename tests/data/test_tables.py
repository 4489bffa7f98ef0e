"""Tables: what becomes of columns, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kdsearch.data import describe
from kdsearch.data import load_arrays
from kdsearch.errors import InputError
from tests.data.files import config


def frame(rows: int = 12, **changes: Any) -> pd.DataFrame:
    columns = {
        "age": np.arange(rows) * 1.5,
        "colour": np.resize(["red", "green", "blue"], rows),
        "member": [True, False] * (rows // 2),
        "code": [10, 20, 30, 40] * (rows // 4),
        "label": ["yes", "no"] * (rows // 2),
    }
    return pd.DataFrame(columns | changes)


def write(folder: Path, name: str, table: pd.DataFrame) -> None:
    if name.endswith(".csv"):
        table.to_csv(folder / name, index=False)
    else:
        table.to_parquet(folder / name)


def problems_of(folder: Path, train: pd.DataFrame, test: pd.DataFrame | None = None, /, **arguments: Any) -> list[str]:
    write(folder, "train.csv", train)
    if test is not None:
        write(folder, "test.csv", test)
        arguments["test"] = "test.csv"
    with pytest.raises(InputError) as error:
        describe(config("table", folder, **{"train": "train.csv", "target": "label", **arguments}))
    return [line.replace(f"{folder}/", "") for line in str(error.value).splitlines()]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_columns_become_numbers(tmp_path: Path, suffix: str) -> None:
    train, test = frame(), frame(4, age=[0.0, 100.0, 8.25, 8.25], colour=["red", "red", "green", "blue"])
    write(tmp_path, f"train{suffix}", train)
    write(tmp_path, f"test{suffix}", test)
    names = {"train": f"train{suffix}", "test": f"test{suffix}", "target": "label", "categorical": ["code"]}
    arrays = load_arrays(config("table", tmp_path, **names))  # type: ignore[arg-type]
    inputs = np.asarray(arrays.test_inputs)
    # age, then blue green red, False True, 10 20 30 40
    assert inputs.shape == (4, 1 + 3 + 2 + 4)
    assert np.allclose(inputs[:, 0], (test["age"] - train["age"].mean()) / train["age"].std(ddof=0), atol=1e-6)
    assert inputs[0, 1:].tolist() == [0, 0, 1, 0, 1, 1, 0, 0, 0]
    assert inputs[3, 1:].tolist() == [1, 0, 0, 1, 0, 0, 0, 0, 1]
    assert arrays.class_names == ("no", "yes") and arrays.test_targets.tolist() == [1, 0, 1, 0]
    standardised = np.asarray(arrays.train_inputs)[:, 0]
    assert abs(standardised.mean()) < 1e-6 and abs(standardised.std() - 1) < 1e-6


def test_a_test_part_is_split_off_and_statistics_are_those_of_the_rest(tmp_path: Path) -> None:
    write(tmp_path, "train.csv", frame(24, rare=["once"] + ["often"] * 23))
    arguments = {"train": "train.csv", "target": "label", "test_fraction": 0.25, "ignore": ["code"]}
    arrays = load_arrays(config("table", tmp_path, **arguments))  # type: ignore[arg-type]
    assert np.bincount(arrays.train_targets).tolist() == [9, 9] and np.bincount(arrays.test_targets).tolist() == [3, 3]
    assert arrays.input_shape == (1 + 3 + 2 + 2,)
    assert abs(np.asarray(arrays.train_inputs)[:, 0].mean()) < 1e-6 < abs(np.asarray(arrays.test_inputs)[:, 0].mean())


def test_numbers_as_classes_are_sorted_by_value(tmp_path: Path) -> None:
    write(tmp_path, "train.csv", frame(label=[10, 9] * 6))
    write(tmp_path, "test.parquet", frame(4, label=[9.0, 10.0, 10.0, 9.0]))
    names = {"train": "train.csv", "test": "test.parquet", "target": "label"}
    arrays = load_arrays(config("table", tmp_path, **names))  # type: ignore[arg-type]
    assert arrays.class_names == ("9", "10") and arrays.test_targets.tolist() == [0, 1, 1, 0]


def test_a_constant_column_is_zero(tmp_path: Path) -> None:
    write(tmp_path, "train.csv", frame(age=[7] * 12))
    arrays = load_arrays(config("table", tmp_path, train="train.csv", target="label"))
    assert not np.asarray(arrays.train_inputs)[:, 0].any()


def test_missing_values(tmp_path: Path) -> None:
    age, colour = [None, None, *range(10)], ["red"] * 11 + [""]
    lines = problems_of(tmp_path, frame(age=age, colour=colour), frame(label=["yes"] * 11 + [None]))
    assert lines == [
        "dataset.arguments.train=train.csv: column age has 2 rows without a value; fill or drop them",
        "dataset.arguments.train=train.csv: column colour has 1 row without a value; fill or drop them",
        "dataset.arguments.test=test.csv: column label has 1 row without a value; fill or drop them",
        "dataset.arguments.test=test.csv: column colour holds green, blue in 8 rows; the training part never has it",
    ]


def test_unseen_categories_and_classes(tmp_path: Path) -> None:
    test = frame(colour=["mauve"] * 2 + ["red"] * 10, label=["perhaps"] + ["yes"] * 11)
    assert problems_of(tmp_path, frame(), test) == [
        "dataset.arguments.test=test.csv: column colour holds mauve in 2 rows; the training part never has it",
        "dataset.arguments.test=test.csv: column label holds the class perhaps in the test part alone",
    ]


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    lines = problems_of(tmp_path, frame(), target="lable", categorical=["kode"], ignore=["x"])
    assert [line.split("=")[0].rpartition(".")[2] for line in lines] == ["target", "categorical", "ignore"]
    assert lines[0].endswith("lable: is no column of train.csv; did you mean label?")
    assert "did you mean code?" in lines[1] and "it has age, colour, member, code, label" in lines[2]
    lines = problems_of(tmp_path, frame(), frame().drop(columns=["age", "code"]))
    assert lines == [
        f"dataset.arguments.test=test.csv: lacks the column {name} of train.csv" for name in ("age", "code")
    ]


def test_columns_that_cannot_be_used(tmp_path: Path) -> None:
    lines = problems_of(tmp_path, frame(age=[np.inf, *range(11)]), frame(code=["A"] * 12))
    assert lines == [
        "dataset.arguments.train=train.csv: column age has 1 infinite value",
        "dataset.arguments.test=test.csv: column code holds text, in train.csv it holds numbers",
    ]
    many = frame(1212, name=[f"name {row}" for row in range(1212)])
    assert "column name has 1212 different values; dataset.arguments.ignore=[name]" in problems_of(tmp_path, many)[0]
    write(tmp_path, "dates.parquet", frame(day=pd.date_range("2026-01-01", periods=12)))
    assert "column day is datetime64" in problems_of(tmp_path, frame(), train="dates.parquet")[0]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0.5, 1.5] * 6, "must hold classes; 0.5 is a measured number"),
        ([0.0, 1.0, np.inf] * 4, "must hold classes; inf is a measured number"),
        (["yes"] * 12, "holds 1 class; at least 2 are needed"),
        (["yes"] * 11 + ["no"], "class no has a single sample; a test part"),
    ],
)
def test_classes_that_are_none(tmp_path: Path, labels: list[Any], words: str) -> None:
    assert words in problems_of(tmp_path, frame(label=labels))[0]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 or not")
    (tmp_path / "empty.csv").write_text("age,label\n")
    (tmp_path / "table.xlsx").write_bytes(b"")
    for train, words in (
        ("broken.parquet", "cannot be read"),
        ("empty.csv", "holds no rows"),
        ("table.xlsx", "must end in .csv or .parquet"),
        ("nothing.csv", "no such file"),
    ):
        lines = problems_of(tmp_path, frame(), train=train, test="nowhere.csv")
        assert words in lines[0] and lines[1] == "dataset.arguments.test=nowhere.csv: no such file"
    with pytest.raises(InputError, match="must be an absolute path, or dataset.root must be the folder"):
        describe(config("table", train="train.csv", target="label"))
    write(tmp_path, "train.csv", frame())
    assert describe(config("table", train=str(tmp_path / "train.csv"), target="label")).class_count == 2
