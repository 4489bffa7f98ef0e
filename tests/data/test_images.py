"""Images on disk: folders of classes, ImageNet and Tiny ImageNet, decoded at once or when needed."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kdsearch.config.schema import DatasetConfig
from kdsearch.config.schema import ModelConfig
from kdsearch.config.schema import TeacherConfig
from kdsearch.config.schema import TrainingConfig
from kdsearch.data import Arrays
from kdsearch.data import ImageFiles
from kdsearch.data import ImageFormat
from kdsearch.data import describe
from kdsearch.data import load_arrays
from kdsearch.data import load_splits
from kdsearch.distiller import EvaluationSet
from kdsearch.distiller import TrainingSet
from kdsearch.errors import InputError
from kdsearch.teacher import train_teacher
from tests.data.files import config
from tests.data.files import write_folders
from tests.data.files import write_image


def problems_of(dataset: DatasetConfig) -> list[str]:
    with pytest.raises(InputError) as error:
        describe(dataset)
    return str(error.value).splitlines()


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """train and test with cat and dog, 5 and 2 images of each."""
    write_folders(tmp_path / "train")
    write_folders(tmp_path / "test", count=2)
    return tmp_path


def files(root: Path, size: int = 8, channels: int = 3) -> ImageFiles:
    paths = sorted(str(path.relative_to(root)) for path in root.rglob("*.png"))
    statistics = ((0.5,) * channels, (0.25,) * channels)
    return ImageFiles(root, np.array(paths), ImageFormat(size, *statistics))


def test_pixels_are_those_of_the_file(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", size=(8, 8))
    pixels = np.asarray(Image.open(tmp_path / "a.png"), dtype=np.float32)
    image = np.asarray(files(tmp_path))[0]
    assert image.shape == (3, 8, 8)
    assert np.allclose((image.transpose(1, 2, 0) * 0.25 + 0.5) * 255, pixels, atol=1e-3)


def test_grey_images(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", mode="L")
    assert np.asarray(files(tmp_path, channels=1)).shape == (1, 1, 8, 8)
    assert np.asarray(files(tmp_path, channels=3)).shape == (1, 3, 8, 8)


def test_the_longer_side_is_cut_at_both_ends(tmp_path: Path) -> None:
    stripes = np.zeros((10, 30, 3), dtype=np.uint8)
    stripes[:, 10:20] = 255
    Image.fromarray(stripes).save(tmp_path / "a.png")
    image = np.asarray(files(tmp_path, size=10))[0]
    assert np.allclose(image, 2.0)


def test_images_of_all_sizes_and_formats_become_one_shape(tmp_path: Path) -> None:
    for index, (size, suffix) in enumerate([((9, 30), ".png"), ((64, 20), ".JPEG"), ((3, 3), ".bmp")]):
        for name in ("a", "b"):
            write_image(tmp_path / name / f"{index}{suffix}", size=size)
    arrays = load_arrays(config("imagefolder", tmp_path, image_size=16))
    assert arrays.input_shape == (3, 16, 16) and len(arrays.train_targets) + len(arrays.test_targets) == 6


def test_lazy_is_eager(folders: Path) -> None:
    eager = load_splits(config("imagefolder", folders, image_size=8), seed=0)
    lazy = load_splits(config("imagefolder", folders, image_size=8, in_memory=False), seed=0)
    assert isinstance(lazy.pool.inputs, ImageFiles) and isinstance(eager.pool.inputs, np.ndarray)
    assert isinstance(lazy.validation.inputs, np.ndarray)
    for of_lazy, of_eager in (
        (lazy.pool, eager.pool),
        (lazy.validation, eager.validation),
        (lazy.test("confirmation"), eager.test("confirmation")),
        (lazy.samples(3, subset_seed=1), eager.samples(3, subset_seed=1)),
    ):
        assert np.array_equal(of_lazy.ids, of_eager.ids) and np.array_equal(of_lazy.targets, of_eager.targets)
        assert of_lazy.inputs.shape == of_eager.inputs.shape and of_lazy.inputs.dtype == of_eager.inputs.dtype
        assert np.array_equal(np.asarray(of_lazy.inputs), of_eager.inputs)
    samples = lazy.samples(3, subset_seed=1)
    assert torch.equal(TrainingSet.of(samples, 2).inputs, torch.from_numpy(eager.samples(3, subset_seed=1).inputs))
    assert EvaluationSet.of(lazy.test("confirmation")).inputs.shape == (4, 3, 8, 8)


def test_a_teacher_says_the_same_about_images_on_disk(folders: Path) -> None:
    teachers = []
    for in_memory in (True, False):
        splits = load_splits(config("imagefolder", folders, image_size=8, in_memory=in_memory), seed=0)
        model = ModelConfig(name="mlp", hidden=(4,))
        teacher = TeacherConfig(name="mlp", model=model, training=TrainingConfig(steps=3, evaluations=1, device="cpu"))
        teachers.append(train_teacher(teacher, splits, seed=0, device="cpu"))
    first, second = (teacher.signals.of(splits.pool.ids) for teacher in teachers)
    assert np.array_equal(first, second)


def test_lazy_images_are_indexed_like_an_array(folders: Path) -> None:
    lazy = files(folders / "train")
    eager = np.asarray(lazy)
    chosen = np.array([7, 0, 3])
    assert len(lazy) == 10 and lazy.ndim == eager.ndim and lazy.nbytes == eager.nbytes
    assert np.array_equal(lazy[chosen], eager[chosen]) and np.array_equal(lazy[2:5], eager[2:5])
    taken = lazy.take(chosen)
    assert isinstance(taken, ImageFiles) and np.array_equal(np.asarray(taken), eager[chosen])
    assert len(pickle.dumps(lazy)) < 4000
    with pytest.raises(ValueError, match="first axis"):
        lazy.take(chosen, axis=1)


def test_a_lazy_fingerprint_is_of_paths_sizes_and_format(folders: Path) -> None:
    def fingerprint(size: int = 8) -> str:
        return load_arrays(config("imagefolder", folders, image_size=size, in_memory=False)).fingerprint()

    before = fingerprint()
    assert before == fingerprint() != fingerprint(size=9)
    (folders / "train" / "cat" / "0.png").rename(folders / "train" / "cat" / "00.png")
    renamed = fingerprint()
    assert renamed != before
    write_image(folders / "train" / "cat" / "00.png", size=(20, 20))
    assert fingerprint() != renamed


def test_folders_with_a_test_part(folders: Path) -> None:
    (folders / "train" / "cat" / "notes.txt").write_text("not an image")
    info = describe(config("imagefolder", folders, image_size=8))
    assert (info.pool_count, info.test_count, info.class_names) == (6, 4, ("cat", "dog"))
    arrays = load_arrays(config("imagefolder", folders))
    assert arrays.train_targets.tolist() == [0] * 5 + [1] * 5 and arrays.test_targets.tolist() == [0, 0, 1, 1]


def test_a_test_part_is_split_off(tmp_path: Path) -> None:
    write_folders(tmp_path, ("a", "b"), count=10)
    first, again = (load_arrays(config("imagefolder", tmp_path, test_fraction=0.3)) for _ in range(2))
    assert np.bincount(first.train_targets).tolist() == [7, 7] and np.bincount(first.test_targets).tolist() == [3, 3]
    assert first.fingerprint() == again.fingerprint()
    images = {image.tobytes() for part in (first.train_inputs, first.test_inputs) for image in np.asarray(part)}
    assert len(images) == 20


def test_unreadable_images_are_named_before_the_sweep(folders: Path) -> None:
    (folders / "train" / "cat" / "3.png").write_bytes(b"not an image")
    (folders / "test" / "dog" / "1.png").write_bytes(b"")
    lines = problems_of(config("imagefolder", folders))
    assert len(lines) == 2
    assert "cat/3.png: is not a readable image (UnidentifiedImageError" in lines[0]
    assert "dog/1.png: is not a readable image (is empty)" in lines[1]


def test_an_image_cut_short_is_named_when_decoded(folders: Path) -> None:
    file = folders / "train" / "cat" / "3.png"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(InputError, match="cat/3.png: is not a readable image"):
        load_arrays(config("imagefolder", folders))


def test_what_is_wrong_with_folders_is_told_at_once(folders: Path) -> None:
    write_image(folders / "test" / "bird" / "0.png")
    (folders / "train" / "empty").mkdir()
    lines = problems_of(config("imagefolder", folders))
    assert any("train/empty: holds no images" in line for line in lines)
    assert any("test/bird: is a class that" in line for line in lines)
    assert len(lines) == 2


def test_a_class_with_one_image_cannot_be_split(tmp_path: Path) -> None:
    write_folders(tmp_path)
    write_image(tmp_path / "newt" / "0.png")
    assert "class newt has a single sample; a test part" in problems_of(config("imagefolder", tmp_path))[0]


def test_folders_that_are_not_there(tmp_path: Path) -> None:
    assert "must be given" in problems_of(config("imagefolder"))[0]
    assert "no such folder" in problems_of(config("imagefolder", tmp_path / "nowhere"))[0]
    assert "found 0" in problems_of(config("imagefolder", tmp_path))[0]
    (tmp_path / "train").mkdir()
    assert "has no folder test" in problems_of(config("imagefolder", tmp_path))[0]
    assert "has no folder val" in problems_of(config("imagenet", tmp_path))[0]


def test_statistics_must_fit_the_channels(folders: Path) -> None:
    lines = problems_of(config("imagefolder", folders, mean=[0.5], standard_deviation=[0.1, 0.2]))
    assert [line.partition("=")[0] for line in lines] == [
        "dataset.arguments.mean",
        "dataset.arguments.standard_deviation",
    ]


def test_imagenet(tmp_path: Path) -> None:
    wnids = ("n01440764", "n01443537")
    for index, wnid in enumerate(wnids):
        for number in range(4):
            write_image(tmp_path / "train" / wnid / f"{wnid}_{number}.JPEG", 10 * index + number, size=(50, 37))
        write_image(tmp_path / "val" / wnid / f"ILSVRC2012_val_0000000{index}.JPEG", index, size=(33, 50))
    info = describe(config("imagenet", tmp_path, validation_count=2, image_size=32))
    assert (info.pool_count, info.test_count, info.input_shape, info.class_names) == (6, 2, (3, 32, 32), wnids)
    arrays = load_arrays(config("imagenet", tmp_path, image_size=32))
    assert arrays.train_targets.tolist() == [0] * 4 + [1] * 4 and arrays.test_targets.tolist() == [0, 1]
    (tmp_path / "val" / "n09999999").mkdir()
    assert "val/n09999999: is a class that" in problems_of(config("imagenet", tmp_path))[0]


@pytest.fixture
def tiny_imagenet(tmp_path: Path) -> Path:
    root = tmp_path / "tiny-imagenet-200"
    wnids = ("n02124075", "n01443537")
    for index, wnid in enumerate(wnids):
        for number in range(4):
            write_image(root / "train" / wnid / "images" / f"{wnid}_{number}.JPEG", 10 * index + number, (64, 64))
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text(f"{wnid}_0.JPEG\t0\t0\t62\t62\n")
    for number in range(3):
        write_image(root / "val" / "images" / f"val_{number}.JPEG", number, (64, 64))
    lines = [f"val_{number}.JPEG\t{wnids[number % 2 - 1]}\t0\t32\t44\t62" for number in range(3)]
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines) + "\n")
    (root / "wnids.txt").write_text("\n".join(wnids))
    (root / "words.txt").write_text("n02124075\tEgyptian cat\nn01443537\tgoldfish, Carassius auratus\nn0\tother\n")
    return root


def test_tiny_imagenet(tiny_imagenet: Path) -> None:
    for root in (tiny_imagenet, tiny_imagenet.parent):
        arrays = load_arrays(config("tiny_imagenet", root))
        assert arrays.input_shape == (3, 64, 64)
        assert arrays.train_targets.tolist() == [0] * 4 + [1] * 4 and arrays.test_targets.tolist() == [1, 0, 1]
    info = describe(config("tiny_imagenet", tiny_imagenet, validation_count=2))
    assert (info.pool_count, info.test_count) == (6, 3)
    assert info.class_names == ("Egyptian cat", "goldfish, Carassius auratus")


def test_tiny_imagenet_with_files_that_do_not_fit(tiny_imagenet: Path) -> None:
    annotations = tiny_imagenet / "val" / "val_annotations.txt"
    annotations.write_text(annotations.read_text() + "val_9.JPEG\tn01443537\nval_1.JPEG\tn05555555\n")
    lines = problems_of(config("tiny_imagenet", tiny_imagenet))
    assert [line.rpartition(": line ")[2] for line in lines] == [
        "4 names val_9.JPEG, which is not there",
        "5 names class n05555555: not in wnids.txt",
    ]
    annotations.unlink()
    assert "lacks val/val_annotations.txt" in problems_of(config("tiny_imagenet", tiny_imagenet))[0]


def test_lazy_inputs_in_arrays_of_the_users(folders: Path) -> None:
    lazy = files(folders / "train")
    arrays = Arrays(lazy, np.arange(10) % 2, lazy[:4], np.arange(4) % 2, class_count=2)
    assert arrays.input_shape == (3, 8, 8)
    with pytest.raises(ValueError, match=r"train inputs must be \[N, …\]"):
        Arrays(lazy, np.arange(9) % 2, lazy[:4], np.arange(4) % 2, class_count=2)
