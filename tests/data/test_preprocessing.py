"""Whoever follows what is said of the preprocessing gets the inputs that students learned from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from kdsearch.config.schema import DatasetConfig
from kdsearch.data import load_arrays


def test_columns(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "color": generator.choice(["red", "blue"], 40),
            "size": generator.normal(5, 3, 40),
            "count": generator.integers(0, 9, 40),
            "label": ["a", "b"] * 20,
        }
    )
    frame.to_csv(tmp_path / "train.csv", index=False)
    frame.to_csv(tmp_path / "test.csv", index=False)
    arguments = {"train": "train.csv", "test": "test.csv", "target": "label"}
    config = DatasetConfig(name="table", root=str(tmp_path), validation_count=10, arguments=arguments)
    arrays = load_arrays(config)
    how = json.loads(json.dumps(arrays.preprocessing))
    assert how["kind"] == "columns"
    columns = [(frame[c["column"]] - c["mean"]) / c["deviation"] for c in how["numeric"]]
    columns += [frame[c["column"]] == value for c in how["categorical"] for value in c["values"]]
    assert np.allclose(np.asarray(arrays.test_inputs), np.stack(columns, axis=1), atol=1e-6)


def test_images(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(6):
            pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    config = DatasetConfig(name="imagefolder", root=str(tmp_path), validation_count=2, arguments={"image_size": 8})
    arrays = load_arrays(config)
    how = json.loads(json.dumps(arrays.preprocessing))
    assert (how["kind"], how["size"], how["color"]) == ("images", 8, "RGB")
    with Image.open(tmp_path / "a" / "0.png") as image:
        pixels = np.asarray(image.convert(how["color"])).transpose(2, 0, 1) / how["divisor"]
    inputs = (pixels - np.array(how["mean"])[:, None, None]) / np.array(how["deviation"])[:, None, None]
    known = np.concatenate([np.asarray(arrays.train_inputs), np.asarray(arrays.test_inputs)])
    assert (np.abs(known - inputs).max(axis=(1, 2, 3)) < 1e-5).any()
