"""CIFAR's pickles, read by torchvision after their checksums were compared."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision import datasets

from kdsearch.data import Arrays
from kdsearch.data import describe
from kdsearch.data import load_arrays
from kdsearch.data.cifar import CIFAR10
from kdsearch.data.cifar import CIFAR100
from kdsearch.data.cifar import Cifar
from kdsearch.errors import InputError
from tests.data.files import config

PUBLISHED = {"CIFAR10": datasets.CIFAR10, "CIFAR100": datasets.CIFAR100}


@dataclass(frozen=True)
class Written:
    """A small copy of a CIFAR set, and a reader that expects its checksums in place of the published ones."""

    cifar: Cifar
    base: Path
    reader: Any
    pixels: dict[str, np.ndarray]

    def load(self) -> Arrays:
        return self.cifar.read(self.reader, self.base)


@pytest.fixture(params=[CIFAR10, CIFAR100], ids=["cifar10", "cifar100"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Written:
    cifar: Cifar = request.param
    return write(cifar, tmp_path)


def write(cifar: Cifar, base: Path) -> Written:
    published = PUBLISHED[cifar.name]
    folder = base / cifar.folder
    folder.mkdir()
    labels, names = ("labels", "label_names") if cifar is CIFAR10 else ("fine_labels", "fine_label_names")
    classes = [f"class {index}" for index in range(cifar.published.class_count)]
    sums, pixels = {}, {}
    for index, file in enumerate(cifar.files):
        rows = np.random.default_rng(index).integers(0, 256, (5, 3072), dtype=np.uint8)
        batch = {"data": rows, labels: [(index + row) % 10 for row in range(5)]}
        content = pickle.dumps({names: classes} if file == published.meta["filename"] else batch)
        (folder / file).write_bytes(content)
        sums[file] = hashlib.md5(content).hexdigest()
        pixels[file] = rows.reshape(5, 3, 32, 32)

    class Reader(published):  # type: ignore[misc, valid-type]
        train_list = [[file, sums[file]] for file, _ in published.train_list]
        test_list = [[file, sums[file]] for file, _ in published.test_list]
        meta = {**published.meta, "md5": sums[published.meta["filename"]]}

    return Written(cifar, base, Reader, pixels)


def test_pixels_channels_and_labels(written: Written) -> None:
    cifar, arrays = written.cifar, written.load()
    train, test = [file for file, _ in written.reader.train_list], written.reader.test_list[0][0]
    assert arrays.train_inputs.shape == (5 * len(train), 3, 32, 32) and arrays.test_inputs.shape == (5, 3, 32, 32)
    mean, deviation = (np.array(values)[:, None, None] for values in (cifar.mean, cifar.deviation))
    pixels = (np.asarray(arrays.train_inputs) * deviation + mean) * 255
    assert np.allclose(pixels, np.concatenate([written.pixels[file] for file in train]), atol=1e-3)
    assert arrays.test_targets.tolist() == [(cifar.files.index(test) + row) % 10 for row in range(5)]
    assert arrays.class_count == cifar.published.class_count
    assert arrays.class_names is not None and arrays.class_names[3] == "class 3"


def test_the_files_are_those_that_torchvision_reads(written: Written) -> None:
    reader = PUBLISHED[written.cifar.name]
    files = [*(file for file, _ in reader.train_list + reader.test_list), reader.meta["filename"]]
    assert sorted(files) == sorted(written.cifar.files) and reader.base_folder == written.cifar.folder


def test_other_files_than_the_published_ones_are_not_opened(written: Written) -> None:
    name = written.cifar.name.lower()
    for root in (written.base, written.base / written.cifar.folder):
        assert describe(config(name, root)).class_count == written.cifar.published.class_count
        with pytest.raises(InputError, match="dataset.root=.*not the published one"):
            load_arrays(config(name, root))


def test_a_file_changed_after_its_checksum_is_not_opened(written: Written) -> None:
    file = written.base / written.cifar.folder / written.reader.test_list[0][0]
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(InputError, match="not the published one"):
        written.load()


def test_missing_files_are_named(written: Written) -> None:
    first = written.cifar.files[0]
    (written.base / written.cifar.folder / first).unlink()
    with pytest.raises(InputError, match=f"lacks {written.cifar.folder}/{first}; it must hold"):
        describe(config(written.cifar.name.lower(), written.base))
