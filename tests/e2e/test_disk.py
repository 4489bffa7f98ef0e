"""A disk that is full, or read-only, under a sweep: a small file system of its own, which takes root to mount."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdsearch.ledger import TrialState
from kdsearch.sweep import load
from tests.e2e.harness import SMALL
from tests.e2e.harness import TARGET
from tests.e2e.harness import Workplace

pytestmark = pytest.mark.services


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "kdsearch-test", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> Path:
    """Write until nothing more goes in."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def test_a_full_disk_is_waited_out(workplace: Workplace, disk: Path) -> None:
    storage = disk / "storage"
    words = (f"storage={storage}", "training.steps=400")
    driver = workplace.start_sweep(*words)
    assert driver.stdout is not None
    lines: list[str] = []
    while not any("running" in line for line in lines):
        lines.append(driver.stdout.readline())
        assert lines[-1], "".join(lines)
    filler = fill(disk)
    while not any("does not answer" in line for line in lines):
        lines.append(driver.stdout.readline())
        assert lines[-1], "".join(lines)
    filler.unlink()
    output, _ = driver.communicate(timeout=240)
    output = "".join(lines) + output
    assert driver.returncode == 0, output
    assert "full" in output or "No space left" in output
    assert "is back after" in output
    sweep = load("digits", storage=str(storage))
    assert len(sweep.records) == TARGET
    assert all(record.state is TrialState.COMPLETE for record in sweep.records)


def test_a_read_only_storage_is_refused_before_anything_starts(workplace: Workplace, disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    refused = workplace.run("sweep", *SMALL, f"storage={disk}/storage", expect=2)
    assert f"storage={disk}/storage: must be writable" in refused.stderr
