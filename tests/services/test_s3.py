"""The S3 storage against a real server."""

from __future__ import annotations

import os
import pickle
import threading

import pytest

from kdsearch.storage import Storage
from kdsearch.storage import open_storage
from tests.services.servers import S3Server

pytestmark = pytest.mark.services


@pytest.fixture
def storage(s3: S3Server, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Storage:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return open_storage(f"s3://{s3.bucket}/{request.node.name}")


def test_reads_what_was_written(storage: Storage) -> None:
    storage.write("sweeps/a/config.yaml", b"one")
    storage.write("sweeps/a/config.yaml", b"two")
    assert storage.read("sweeps/a/config.yaml") == b"two"
    assert storage.exists("sweeps/a/config.yaml") and not storage.exists("sweeps/b")
    assert storage.local_path is None


def test_the_first_writer_of_something_new_wins(storage: Storage) -> None:
    ready = threading.Barrier(4)
    won: list[bytes] = []

    def write(content: bytes) -> None:
        ready.wait()
        if storage.write_new("teachers/a/teacher.json", content):
            won.append(content)

    writers = [threading.Thread(target=write, args=(bytes([value]) * 100_000,)) for value in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert won == [storage.read("teachers/a/teacher.json")]
    assert not storage.write_new("teachers/a/teacher.json", b"late")


def test_reads_a_part(storage: Storage) -> None:
    storage.write("a/1", b"0123456789")
    assert (storage.read_part("a/1", 3, 4), storage.read_part("a/1", 9, 1)) == (b"3456", b"9")
    for start in (8, 20):
        with pytest.raises(ValueError, match=f"of the 3 bytes from {start} on"):
            storage.read_part("a/1", start, 3)
    with pytest.raises(FileNotFoundError):
        storage.read_part("a/2", 0, 1)


def test_lists_below_a_folder(storage: Storage) -> None:
    for path in ("a/2", "a/1", "a/b/3", "ab/4"):
        storage.write(path, b"x")
    assert storage.list("a") == ["a/1", "a/2", "a/b/3"]
    assert storage.list("nothing") == []


def test_lists_more_than_a_page(storage: Storage) -> None:
    paths = [f"many/{index:04d}" for index in range(1005)]
    for path in paths:
        storage.write(path, b"x")
    assert storage.list("many") == paths


def test_deletes_and_misses(storage: Storage) -> None:
    storage.write("a/1", b"x")
    storage.delete("a/1")
    storage.delete("a/1")
    assert not storage.exists("a/1")
    with pytest.raises(FileNotFoundError):
        storage.read("a/1")


def test_a_large_content_goes_up_in_parts(storage: Storage) -> None:
    content = os.urandom(20 * 2**20)
    storage.write("large", content)
    assert storage.read("large") == content


def test_travels_to_another_process(storage: Storage) -> None:
    storage.write("a", b"x")
    assert pickle.loads(pickle.dumps(storage)).read("a") == b"x"


def test_wrong_credentials_are_not_a_missing_file(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import ClientError

    storage.write("a", b"x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(ClientError):
        open_storage("s3://kdsearch/elsewhere").read("a")
