"""Small data sets in files of their true formats, as words for `kdsearch`, and CIFAR's without its published bytes."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from torchvision import datasets

from kdsearch.data import Arrays
from kdsearch.data.cifar import CIFAR10
from kdsearch.data.cifar import CIFAR100
from kdsearch.data.mlbench import LETTER
from kdsearch.data.mlbench import SATELLITE
from tests.data import test_shipped as files
from tests.data.files import write_image
from tests.data.files import write_mails
from tests.data.files import write_mlbench
from tests.data.files import write_mnist

CIFARS = {"cifar10": CIFAR10, "cifar100": CIFAR100}


def cifar_words(name: str, rows: int) -> Callable[[Path], list[str]]:
    """A writer of `rows` random images in each of the set's files, every class among them."""

    def write(folder: Path) -> list[str]:
        cifar = CIFARS[name]
        place = folder / cifar.folder
        place.mkdir(parents=True)
        labels, names = ("labels", "label_names") if cifar is CIFAR10 else ("fine_labels", "fine_label_names")
        count = cifar.published.class_count
        for index, file in enumerate(cifar.files):
            pixels = np.random.default_rng(index).integers(0, 256, (rows, 3072), dtype=np.uint8)
            batch = {"data": pixels, labels: [row % count for row in range(rows)]}
            classes = {names: [f"class {number}" for number in range(count)]}
            (place / file).write_bytes(pickle.dumps(classes if "meta" in file else batch))
        own = ["dataset._target_=tests.e2e.formats.load_cifar", f"dataset.arguments.name={name}"]
        return [f"dataset.root={folder}", *own]

    return write


def load_cifar(root: str, name: str) -> Arrays:
    """As kdsearch reads CIFAR, with the checksums of the files that are there in place of the published ones."""
    cifar = CIFARS[name]
    published: Any = getattr(datasets, cifar.name)
    folder = Path(root) / cifar.folder

    def with_sum(file: str) -> list[str]:
        return [file, hashlib.md5((folder / file).read_bytes()).hexdigest()]

    class Reader(published):
        train_list = [with_sum(file) for file, _ in published.train_list]
        test_list = [with_sum(file) for file, _ in published.test_list]
        meta = {**published.meta, "md5": with_sum(published.meta["filename"])[1]}

    return cifar.read(Reader, Path(root))


def tiny_imagenet(folder: Path) -> list[str]:
    root = folder / "tiny-imagenet-200"
    wnids = ("n02124075", "n01443537")
    for index, wnid in enumerate(wnids):
        for number in range(16):
            write_image(root / "train" / wnid / "images" / f"{wnid}_{number}.JPEG", 100 * index + number, (64, 64))
    for number in range(4):
        write_image(root / "val" / "images" / f"val_{number}.JPEG", number, (64, 64))
    lines = [f"val_{number}.JPEG\t{wnids[number % 2]}\t0\t32\t44\t62\n" for number in range(4)]
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    (root / "wnids.txt").write_text("\n".join(wnids))
    (root / "words.txt").write_text("n02124075\tEgyptian cat\nn01443537\tgoldfish\n")
    return [f"dataset.root={root}"]


def fashion_mnist(folder: Path) -> list[str]:
    write_mnist(folder / "FashionMNIST" / "raw", ".gz")
    return [f"dataset.root={folder}"]


def letter(folder: Path) -> list[str]:
    write_mlbench(folder, LETTER)
    return [f"dataset.root={folder}"]


def satellite(folder: Path) -> list[str]:
    write_mlbench(folder, SATELLITE)
    return [f"dataset.root={folder}"]


def spam_assassin(folder: Path) -> list[str]:
    write_mails(folder / "data")
    return [f"dataset.root={folder}"]


def custom(folder: Path) -> list[str]:
    return ["dataset._target_=tests.e2e.formats.load_noise"]


def load_noise() -> Arrays:
    inputs = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    return Arrays(inputs[:40], np.arange(40) % 2, inputs[40:], np.arange(20) % 2, class_count=2)


def nothing(folder: Path) -> list[str]:
    return []


WRITERS: dict[str, Callable[[Path], list[str]]] = {
    **files.WRITERS,
    "cifar10": cifar_words("cifar10", rows=12),
    "cifar100": cifar_words("cifar100", rows=300),
    "tiny_imagenet": tiny_imagenet,
    "custom": custom,
    "digits": nothing,
    "fashion_mnist": fashion_mnist,
    "mnist_5k": nothing,
    "letter": letter,
    "satellite": satellite,
    "spam_assassin": spam_assassin,
}
"""Of every shipped data set config: what writes its files into a folder and says where they are."""
