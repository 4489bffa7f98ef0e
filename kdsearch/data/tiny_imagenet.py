"""Tiny ImageNet (Le, Yang 2015): 100,000 + 10,000 colour images, 64x64, of 200 of ImageNet's classes.

`tiny-imagenet-200/` holds `wnids.txt`, `words.txt`, `train/<wnid>/images/*.JPEG`, `val/images/*.JPEG` and
`val/val_annotations.txt`. The labels of its test images were never published: val is the test part.
"""

from __future__ import annotations

from pathlib import Path

from kdsearch.data.arrays import Arrays
from kdsearch.data.facts import Facts
from kdsearch.data.image_folders import ImageArguments
from kdsearch.data.image_folders import ImageSet
from kdsearch.data.image_folders import Listing
from kdsearch.data.image_folders import existing
from kdsearch.data.image_folders import images_below
from kdsearch.errors import InputError
from kdsearch.errors import Problem

FOLDER = "tiny-imagenet-200"
NEEDED = ("wnids.txt", "train", "val/images", "val/val_annotations.txt")


def load(root: Path | None, arguments: ImageArguments) -> Arrays:
    return _found(root).arrays(arguments)


def facts(root: Path | None, arguments: ImageArguments) -> Facts:
    return _found(root).facts(arguments)


def _found(root: Path | None) -> ImageSet:
    root = existing(root, f"the unpacked folder {FOLDER}")
    root = root / FOLDER if (root / FOLDER).is_dir() else root
    absent = [name for name in NEEDED if not (root / name).exists()]
    if absent:
        raise InputError([Problem("dataset.root", root, f"lacks {', '.join(absent)}; it must be {FOLDER}, unpacked")])
    wnids = (root / "wnids.txt").read_text().split()
    train, problems = _train(root, wnids)
    test, more = _validation(root, wnids)
    if problems or more:
        raise InputError([*problems, *more])
    return ImageSet(root, train, test, _names(root, wnids))


def _train(root: Path, wnids: list[str]) -> tuple[Listing, list[Problem]]:
    found = [images_below(root / "train" / wnid / "images", root) for wnid in wnids]
    empty = [wnid for wnid, paths in zip(wnids, found, strict=True) if not paths]
    problems = [Problem("dataset.root", root / "train" / wnid / "images", "holds no images") for wnid in empty]
    paths = tuple(path for of_class in found for path in of_class)
    return Listing(paths, tuple(index for index, of_class in enumerate(found) for _ in of_class)), problems


def _validation(root: Path, wnids: list[str]) -> tuple[Listing, list[Problem]]:
    """By the annotations: file name, wnid and a bounding box on each line, separated by tabs."""
    annotations = root / "val" / "val_annotations.txt"
    index = {wnid: position for position, wnid in enumerate(wnids)}
    paths, targets, problems = [], [], []
    present = set(images_below(root / "val" / "images", root))
    for number, line in enumerate(annotations.read_text().splitlines(), start=1):
        name, wnid = [*line.split("\t"), ""][:2]
        path = f"val/images/{name}"
        if path not in present:
            problems.append(Problem("dataset.root", annotations, f"line {number} names {name}, which is not there"))
        elif wnid not in index:
            problems.append(Problem("dataset.root", annotations, f"line {number} names class {wnid}: not in wnids.txt"))
        else:
            paths.append(path)
            targets.append(index[wnid])
    if not paths and not problems:
        problems.append(Problem("dataset.root", annotations, "is empty"))
    return Listing(tuple(paths), tuple(targets)), problems


def _names(root: Path, wnids: list[str]) -> tuple[str, ...]:
    """In words, where the file with them is there."""
    file = root / "words.txt"
    lines = file.read_text().splitlines() if file.is_file() else []
    words = dict(line.split("\t", 1) for line in lines if "\t" in line)
    return tuple(words.get(wnid, wnid) for wnid in wnids)
