"""Every data set config that is shipped: composed, looked at, loaded, where that needs no download."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdsearch.config.compose import compose_sweep
from kdsearch.config.compose import group_options
from kdsearch.data import DATASETS
from kdsearch.data import load_splits
from kdsearch.data.fashion_mnist import DEBIAN_FOLDER
from kdsearch.errors import InputError
from tests.data.files import write_folders
from tests.data.files import write_mnist


def image_folders(folder: Path) -> list[str]:
    write_folders(folder / "flowers", count=20)
    return [f"dataset.root={folder}/flowers", "dataset.arguments.image_size=8"]


def imagenet(folder: Path) -> list[str]:
    for part, count in (("train", 16), ("val", 4)):
        write_folders(folder / part, count=count)
    return [f"dataset.root={folder}", "dataset.arguments.image_size=8"]


def npz(folder: Path) -> list[str]:
    targets = np.arange(40) % 2
    np.savez(
        folder / "mine.npz",
        train_inputs=np.ones((40, 3)),
        train_targets=targets,
        test_inputs=np.ones((40, 3)),
        test_targets=targets,
    )
    return [f"dataset.root={folder}/mine.npz"]


def table(folder: Path) -> list[str]:
    pd.DataFrame({"age": range(40), "income": ["low", "high"] * 20}).to_csv(folder / "adult.csv", index=False)
    return [f"dataset.root={folder}", "dataset.arguments.train=adult.csv", "dataset.arguments.target=income"]


def text(folder: Path) -> list[str]:
    pd.DataFrame({"text": ["good film", "bad film"] * 20, "label": [1, 0] * 20}).to_parquet(folder / "reviews.parquet")
    return [f"dataset.root={folder}", "dataset.arguments.train=reviews.parquet"]


def huggingface(folder: Path) -> list[str]:
    from datasets import Dataset

    Dataset.from_dict({"size": range(40), "label": ["a", "b"] * 20}).save_to_disk(str(folder / "saved"))
    return [f"dataset.root={folder}/saved", "dataset.arguments.test_split=null"]


def mnist(folder: Path) -> list[str]:
    write_mnist(folder / "MNIST" / "raw", ".gz")
    return [f"dataset.root={folder}"]


WRITERS: dict[str, Callable[[Path], list[str]]] = {
    "imagefolder": image_folders,
    "imagenet": imagenet,
    "npz": npz,
    "table": table,
    "text": text,
    "huggingface": huggingface,
    "mnist": mnist,
}
SMALL = ["dataset.validation_count=10", "sample_counts=[12]", "teacher.sample_count=null"]


@pytest.mark.parametrize("name", WRITERS)
def test_a_shipped_config_on_small_files(name: str, tmp_path: Path) -> None:
    config = compose_sweep([f"dataset={name}", *SMALL, *WRITERS[name](tmp_path), f"storage={tmp_path}/out"]).config
    splits = load_splits(config.dataset, config.seed)
    assert len(splits.validation) == 10 and len(splits.samples(12, subset_seed=0)) == 12


@pytest.mark.parametrize("name", ["digits", "fashion_mnist"])
def test_a_shipped_config_on_the_data_themselves(name: str, tmp_path: Path) -> None:
    if name == "fashion_mnist" and not DEBIAN_FOLDER.is_dir():
        pytest.skip("Debian's dataset-fashion-mnist is not installed")
    config = compose_sweep([f"dataset={name}", f"storage={tmp_path}"]).config
    assert (
        len(load_splits(config.dataset, config.seed).samples(config.sample_counts[-1], 0)) == config.sample_counts[-1]
    )


def test_every_data_set_has_a_config_that_names_all_its_arguments() -> None:
    assert set(group_options()["dataset"]) == {*DATASETS, "custom"}
    for name, reader in DATASETS.items():
        config = compose_sweep([f"dataset={name}"], outside_world=False).config
        assert config.dataset.name == name
        fields = reader.arguments.model_fields
        assert set(config.dataset.arguments) == set(fields), name
        for key, value in config.dataset.arguments.items():
            default = fields[key].get_default()
            assert fields[key].is_required() or (list(default) if isinstance(default, tuple) else default) == value


@pytest.mark.parametrize("subset", ["balanced", "easy", "hard"])
def test_ways_to_draw_that_need_a_sample_of_each_class(subset: str, tmp_path: Path) -> None:
    overrides = [f"dataset.subset={subset}", "sample_counts=[9]", f"storage={tmp_path}"]
    with pytest.raises(InputError, match="sample_counts=9: must be >= 10, one sample of each class"):
        compose_sweep(overrides)
    assert compose_sweep([overrides[0], overrides[2]]).config.dataset.subset == subset


def test_looking_at_data_does_not_import_torch(tmp_path: Path) -> None:
    commands = [
        "import sys",
        "from kdsearch.config.compose import compose_sweep",
        *(f"compose_sweep({['dataset=' + name, *SMALL, *overrides]})" for name, overrides in described(tmp_path)),
        "assert 'torch' not in sys.modules",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(commands)], check=True, cwd=tmp_path)


def described(folder: Path) -> list[tuple[str, list[str]]]:
    places = {name: folder / name for name in ("imagefolder", "npz", "table", "text", "mnist")}
    for place in places.values():
        place.mkdir()
    return [(name, WRITERS[name](place)) for name, place in places.items()]
