"""What every storage does, and what only a folder does."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from kdsearch.storage import LocalStorage
from kdsearch.storage import open_storage


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "data")


def test_reads_what_was_written(storage: LocalStorage) -> None:
    storage.write("sweeps/a/config.yaml", b"one")
    storage.write("sweeps/a/config.yaml", b"two")
    assert storage.read("sweeps/a/config.yaml") == b"two"
    assert storage.exists("sweeps/a/config.yaml") and not storage.exists("sweeps/a")


def test_the_first_writer_of_something_new_wins(storage: LocalStorage) -> None:
    """However many there are: what is read is what the one that was told so has written."""
    ready = threading.Barrier(8)
    won: list[bytes] = []

    def write(content: bytes) -> None:
        ready.wait()
        if storage.write_new("teachers/a/teacher.json", content):
            won.append(content)

    writers = [threading.Thread(target=write, args=(bytes([value]) * 100_000,)) for value in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert won == [storage.read("teachers/a/teacher.json")]
    assert [file.name for file in (storage.local_path / "teachers" / "a").iterdir()] == ["teacher.json"]


def test_reads_a_part(storage: LocalStorage) -> None:
    storage.write("a/1", b"0123456789")
    assert (storage.read_part("a/1", 3, 4), storage.read_part("a/1", 9, 1)) == (b"3456", b"9")
    with pytest.raises(ValueError, match="has 2 of the 3 bytes from 8 on"):
        storage.read_part("a/1", 8, 3)
    with pytest.raises(FileNotFoundError):
        storage.read_part("a/2", 0, 1)


def test_lists_below_a_folder(storage: LocalStorage) -> None:
    for path in ("a/2", "a/1", "a/b/3", "ab/4"):
        storage.write(path, b"")
    assert storage.list("a") == ["a/1", "a/2", "a/b/3"]
    assert storage.list("nothing") == []


def test_deletes(storage: LocalStorage) -> None:
    storage.write("a/1", b"x")
    storage.delete("a/1")
    storage.delete("a/1")
    assert not storage.exists("a/1")


def test_what_is_missing(storage: LocalStorage) -> None:
    with pytest.raises(FileNotFoundError):
        storage.read("a/1")


@pytest.mark.parametrize("path", ["/etc/passwd", "../other", "a/../../b", ""])
def test_a_path_stays_inside(storage: LocalStorage, path: str) -> None:
    with pytest.raises(ValueError, match="inside the storage"):
        storage.write(path, b"x")


def test_opening_creates_nothing(tmp_path: Path) -> None:
    opened = open_storage(str(tmp_path / "data"))
    assert opened.list("teachers") == [] and not opened.exists("a")
    assert opened.local_path == tmp_path / "data" and not (tmp_path / "data").exists()


def test_a_failed_write_leaves_the_old_content_and_no_rest(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write("a/1", b"old")

    def disk_full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(OSError, match="No space"):
        storage.write("a/1", b"new")
    assert storage.read("a/1") == b"old"
    assert [file.name for file in (storage.local_path / "a").iterdir()] == ["1"]


def test_a_half_written_file_is_not_listed(storage: LocalStorage) -> None:
    storage.write("a/1", b"x")
    (storage.local_path / "a" / ".partial-0123").write_bytes(b"x")
    assert storage.list("a") == ["a/1"]


def test_readers_see_one_write_or_the_other(storage: LocalStorage) -> None:
    contents = [bytes([value]) * 200_000 for value in range(4)]
    storage.write("a", contents[0])

    def write(content: bytes) -> None:
        for _ in range(20):
            storage.write("a", content)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(storage.read("a"))
    for writer in writers:
        writer.join()
    assert seen <= set(contents)


def test_an_s3_address_needs_a_bucket() -> None:
    with pytest.raises(ValueError, match="bucket"):
        open_storage("s3://")
