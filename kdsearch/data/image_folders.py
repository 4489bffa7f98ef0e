"""Folders of images, one folder for each class, and ImageNet, which is laid out like that."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from typing import Literal

import numpy as np
from pydantic import Field

from kdsearch.config.schema import Count
from kdsearch.config.schema import Flag
from kdsearch.config.schema import Frozen
from kdsearch.config.schema import Number
from kdsearch.config.schema import PositiveFloat
from kdsearch.data.arrays import Arrays
from kdsearch.data.arrays import Inputs
from kdsearch.data.facts import Facts
from kdsearch.data.holdout import lone_class_problems
from kdsearch.data.holdout import split_off
from kdsearch.data.image_files import IMAGENET_DEVIATION
from kdsearch.data.image_files import IMAGENET_MEAN
from kdsearch.data.image_files import ImageFiles
from kdsearch.data.image_files import ImageFormat
from kdsearch.data.image_files import header_problems
from kdsearch.data.preprocessing import of_images
from kdsearch.errors import InputError
from kdsearch.errors import Problem

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""Torchvision's; other files beside the images are no concern of ours."""
IN_MEMORY_BYTES = 2**30
"""A part whose decoded images need less is read once and for all, unless told otherwise."""

TestFraction = Annotated[float, Field(strict=True, gt=0, lt=1)]


class PixelArguments(Frozen):
    """What every image is brought to."""

    image_size: Count = 64
    """Height and width in pixels: the shorter side is resized to it, the longer one cut at both ends."""
    channels: Literal[1, 3] = 3
    mean: tuple[Number, ...] | None = None
    """Of each channel, on a scale of 0 to 1; likewise the standard deviation. Null is ImageNet's."""
    standard_deviation: tuple[PositiveFloat, ...] | None = None

    def format(self) -> ImageFormat:
        """
        Raises:
            InputError: not one mean or standard deviation for each channel.
        """
        # For grey images the means over the three channels, as timm has it.
        grey = ((0.449,), (0.226,))
        mean, deviation = (IMAGENET_MEAN, IMAGENET_DEVIATION) if self.channels == 3 else grey
        values = {"mean": self.mean or mean, "standard_deviation": self.standard_deviation or deviation}
        problems = [
            Problem(f"dataset.arguments.{name}", value, f"must have one number for each of {self.channels} channels")
            for name, value in values.items()
            if len(value) != self.channels
        ]
        if problems:
            raise InputError(problems)
        return ImageFormat(self.image_size, values["mean"], values["standard_deviation"])


class ImageArguments(PixelArguments):
    in_memory: Flag | None = None
    """Whether all images are decoded at once; null does so with each part that needs less than 1 GiB."""


class FolderArguments(ImageArguments):
    test_fraction: TestFraction = 0.2
    """Share of the images that becomes the test part, where there is no folder of test images."""


@dataclass(frozen=True)
class Listing:
    """Image files relative to the data set's folder, and the class of each."""

    paths: tuple[str, ...]
    targets: tuple[int, ...]

    def take(self, positions: Sequence[int]) -> Listing:
        return Listing(tuple(self.paths[i] for i in positions), tuple(self.targets[i] for i in positions))


@dataclass(frozen=True)
class ImageSet:
    """The files of a data set of images."""

    root: Path
    train: Listing
    test: Listing
    class_names: tuple[str, ...]

    def facts(self, arguments: ImageArguments) -> Facts:
        """
        Raises:
            InputError: naming every file that is not an image.
        """
        problems = header_problems(self.root / path for listing in (self.train, self.test) for path in listing.paths)
        if problems:
            raise InputError(problems)
        counts = tuple(np.bincount(self.train.targets, minlength=len(self.class_names)).tolist())
        return Facts(counts, len(self.test.paths), arguments.format().shape, class_names=self.class_names)

    def arrays(self, arguments: ImageArguments) -> Arrays:
        """Decoded where they are small, else to be decoded when needed."""
        return Arrays(
            self._inputs(self.train, arguments),
            np.array(self.train.targets),
            self._inputs(self.test, arguments),
            np.array(self.test.targets),
            class_count=len(self.class_names),
            class_names=self.class_names,
            preprocessing=of_images(arguments.format()),
        )

    def _inputs(self, listing: Listing, arguments: ImageArguments) -> Inputs:
        files = ImageFiles(self.root, np.array(listing.paths), arguments.format())
        decode = files.nbytes < IN_MEMORY_BYTES if arguments.in_memory is None else arguments.in_memory
        return np.asarray(files) if decode else files


def load(root: Path | None, arguments: FolderArguments) -> Arrays:
    """`train/<class>/*` and `test/<class>/*`, or `<class>/*` alone, of which a fraction becomes the test part."""
    return _found(root, arguments).arrays(arguments)


def facts(root: Path | None, arguments: FolderArguments) -> Facts:
    return _found(root, arguments).facts(arguments)


def load_imagenet(root: Path | None, arguments: ImageArguments) -> Arrays:
    """ImageNet (Deng et al. 2009; ILSVRC 2012) as `train/<wnid>/*` and `val/<wnid>/*`; val is the test part."""
    return _train_and_test(existing(root, "train/<wnid> and val/<wnid>"), "val").arrays(arguments)


def imagenet_facts(root: Path | None, arguments: ImageArguments) -> Facts:
    return _train_and_test(existing(root, "train/<wnid> and val/<wnid>"), "val").facts(arguments)


def existing(root: Path | None, expected: str) -> Path:
    """
    Raises:
        InputError: no root, or it is not a folder.
    """
    if root is None or not root.is_dir():
        reason = "must be given" if root is None else "no such folder"
        raise InputError([Problem("dataset.root", root, f"{reason}; it must hold {expected}")])
    return root


def images_below(folder: Path, root: Path) -> list[str]:
    """The image files in `folder` and below, relative to `root`, sorted."""
    found = (os.path.join(place, name) for place, _, names in os.walk(folder, followlinks=True) for name in names)
    return sorted(os.path.relpath(path, root) for path in found if path.lower().endswith(EXTENSIONS))


def _found(root: Path | None, arguments: FolderArguments) -> ImageSet:
    root = existing(root, "train/<class>/ and test/<class>/, or one folder for each class")
    if (root / "train").is_dir() or (root / "test").is_dir():
        return _train_and_test(root, "test")
    classes = _class_folders(root)
    listing, problems = _list(root, root, classes)
    counts = np.bincount(listing.targets, minlength=len(classes)).tolist()
    problems += lone_class_problems("dataset.root", root, counts, classes, "a test part beside the training part")
    if len(classes) < 2:
        problems.append(Problem("dataset.root", root, f"must hold one folder for each class, found {len(classes)}"))
    if problems:
        raise InputError(problems)
    train, test = split_off(np.array(listing.targets), arguments.test_fraction)
    return ImageSet(root, listing.take(train.tolist()), listing.take(test.tolist()), tuple(classes))


def _train_and_test(root: Path, test_name: str) -> ImageSet:
    absent = [name for name in ("train", test_name) if not (root / name).is_dir()]
    if absent:
        allowed = (
            f"has no folder {' and no folder '.join(absent)}; it must hold train/<class>/ and {test_name}/<class>/"
        )
        raise InputError([Problem("dataset.root", root, allowed)])
    classes = _class_folders(root / "train")
    train, problems = _list(root, root / "train", classes)
    unknown = [name for name in _class_folders(root / test_name) if name not in classes]
    problems += [
        Problem("dataset.root", root / test_name / name, f"is a class that {root / 'train'} does not have")
        for name in unknown
    ]
    test, _ = _list(root, root / test_name, classes)
    if len(classes) < 2:
        found = f"must hold one folder for each class, found {len(classes)}"
        problems.append(Problem("dataset.root", root / "train", found))
    if not test.paths:
        problems.append(Problem("dataset.root", root / test_name, "must hold images, in one folder for each class"))
    if problems:
        raise InputError(problems)
    return ImageSet(root, train, test, tuple(classes))


def _class_folders(folder: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))


def _list(root: Path, folder: Path, classes: Sequence[str]) -> tuple[Listing, list[Problem]]:
    """The images of each class in `folder`, and the classes that have none."""
    found = [images_below(folder / name, root) for name in classes]
    empty = [name for name, paths in zip(classes, found, strict=True) if not paths]
    problems = [Problem("dataset.root", folder / name, f"holds no images ({', '.join(EXTENSIONS)})") for name in empty]
    paths = tuple(path for of_class in found for path in of_class)
    return Listing(paths, tuple(index for index, of_class in enumerate(found) for _ in of_class)), problems
