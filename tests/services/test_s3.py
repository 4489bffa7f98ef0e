"""The S3 storage against a real server: SeaweedFS, installed by `make services`."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdsearch.storage import Storage
from kdsearch.storage import open_storage

pytestmark = pytest.mark.services

KEY, SECRET = "kdsearch-key", "kdsearch-secret"
START_SECONDS = 60
GRPC_OFFSET = 10_000
"""SeaweedFS serves gRPC on each HTTP port plus this."""


def weed() -> str:
    found = shutil.which("weed", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    if found is None:
        pytest.fail("SeaweedFS is not installed; `make services` does it")
    return found


def free_port() -> int:
    while True:
        with socket.socket() as candidate:
            candidate.bind(("127.0.0.1", 0))
            port: int = candidate.getsockname()[1]
        if port + GRPC_OFFSET < 65_536:
            return port


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("seaweedfs")
    credentials = [{"accessKey": KEY, "secretKey": SECRET}]
    identity = {"name": "test", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    s3, master, volume, filer = (free_port() for _ in range(4))
    command = [weed(), "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += [f"-s3.port={s3}", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"]
    command += ["-master.telemetry=false", "-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0"]
    command += [f"-s3.config={folder / 's3.json'}"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_until_healthy(f"http://127.0.0.1:{s3}/healthz", server, folder / "log")
        yield f"http://127.0.0.1:{s3}"
    finally:
        server.terminate()
        server.wait(30)


def _wait_until_healthy(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"SeaweedFS did not start:\n{log.read_text(errors='replace')[-3000:]}")


@pytest.fixture
def storage(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Storage:
    for name, value in {
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    import boto3

    client = boto3.client("s3")
    if "kdsearch" not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
        client.create_bucket(Bucket="kdsearch")
    return open_storage(f"s3://kdsearch/{request.node.name}")


def test_reads_what_was_written(storage: Storage) -> None:
    storage.write("sweeps/a/config.yaml", b"one")
    storage.write("sweeps/a/config.yaml", b"two")
    assert storage.read("sweeps/a/config.yaml") == b"two"
    assert storage.exists("sweeps/a/config.yaml") and not storage.exists("sweeps/b")
    assert storage.local_path is None


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
