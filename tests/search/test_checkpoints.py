from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kdsearch.search.checkpoints import CheckpointStore
from kdsearch.search.checkpoints import prune
from kdsearch.storage import LocalStorage

KEY = "digits/n=50#3"


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "storage")


def make_store(storage: LocalStorage, tmp_path: Path, attempt: int = 1, sending: int = 1) -> CheckpointStore:
    return CheckpointStore(storage, LocalStorage(tmp_path / "spool"), "digits", attempt, sending)


def save(store: CheckpointStore, step: int) -> Exception | None:
    return store.save(KEY, step, {"step": torch.tensor(step)})


def loaded_step(store: CheckpointStore) -> int | None:
    state = store.load(KEY)
    return None if state is None else int(state["step"])


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def break_storage(tmp_path: Path) -> None:
    """A file stands where the storage's folder should be."""
    (tmp_path / "storage").rename(tmp_path / "storage.away")
    (tmp_path / "storage").write_text("")


def mend_storage(tmp_path: Path) -> None:
    (tmp_path / "storage").unlink()
    (tmp_path / "storage.away").rename(tmp_path / "storage")


def test_the_newest_is_used_and_one_more_is_kept(storage: LocalStorage, tmp_path: Path) -> None:
    store = make_store(storage, tmp_path)
    for step in (10, 20, 30):
        assert save(store, step) is None
    assert loaded_step(store) == 30
    assert [path.name for path in files(tmp_path / "storage")] == ["step-0000000020.pt", "step-0000000030.pt"]


@pytest.mark.parametrize("damage", ["truncated", "empty", "foreign"])
def test_a_damaged_one_is_passed_over_for_the_last_good_one(storage: LocalStorage, tmp_path: Path, damage: str) -> None:
    store = make_store(storage, tmp_path)
    save(store, 10)
    save(store, 20)
    newest = files(tmp_path / "storage")[-1]
    content = {"truncated": newest.read_bytes()[:-200], "empty": b"", "foreign": b"not a checkpoint"}[damage]
    newest.write_bytes(content)
    assert loaded_step(make_store(storage, tmp_path, attempt=2)) == 10


def test_a_deleted_folder_means_starting_again(storage: LocalStorage, tmp_path: Path) -> None:
    store = make_store(storage, tmp_path)
    save(store, 10)
    for path in files(tmp_path / "storage"):
        path.unlink()
    assert loaded_step(store) is None
    assert save(store, 20) is None


def test_what_the_storage_does_not_take_goes_to_the_spool_and_is_found_there(
    storage: LocalStorage, tmp_path: Path
) -> None:
    store = make_store(storage, tmp_path)
    save(store, 10)
    break_storage(tmp_path)
    assert isinstance(save(store, 20), OSError)
    mend_storage(tmp_path)
    assert loaded_step(store) == 20
    assert save(store, 30) is None
    assert loaded_step(store) == 30
    assert files(tmp_path / "spool") == []


def test_neither_storage_nor_spool_is_no_reason_to_fail(storage: LocalStorage, tmp_path: Path) -> None:
    storage.write("a", b"")
    break_storage(tmp_path)
    (tmp_path / "spool").write_text("")
    assert isinstance(save(make_store(storage, tmp_path), 10), OSError)


def test_a_worker_that_outlived_its_driver_does_not_disturb_its_successor(
    storage: LocalStorage, tmp_path: Path
) -> None:
    old, new = make_store(storage, tmp_path, attempt=1), make_store(storage, tmp_path, attempt=2)
    save(old, 10)
    save(new, 20)
    save(new, 30)
    save(old, 90)
    assert loaded_step(new) == 30


def test_a_worker_that_comes_back_does_not_disturb_its_successor(storage: LocalStorage, tmp_path: Path) -> None:
    """Both within one attempt: the first was cut off, and the trial sent out again."""
    cut_off, successor = make_store(storage, tmp_path), make_store(storage, tmp_path, sending=2)
    save(cut_off, 10)
    assert loaded_step(successor) == 10
    save(successor, 20)
    save(cut_off, 20)
    save(cut_off, 90)
    assert loaded_step(successor) == 20
    cut_off.remove(KEY)
    assert loaded_step(make_store(storage, tmp_path, sending=3)) == 20
    successor.remove(KEY)
    assert files(tmp_path / "storage") == []


class NoRights(LocalStorage):
    """An S3 user may not be allowed to see what uploads have left."""

    def discard_partial(self, folder: str) -> None:
        raise PermissionError("AccessDenied")


def test_pruning_goes_on_where_it_may_not_look_for_partial_writes(tmp_path: Path) -> None:
    storage = NoRights(tmp_path / "storage")
    save(make_store(storage, tmp_path), 10)
    prune(storage, "digits", ())
    assert files(tmp_path / "storage") == []


def test_pruning_leaves_the_unfinished_and_nothing_else(storage: LocalStorage, tmp_path: Path) -> None:
    store = make_store(storage, tmp_path)
    for key in (KEY, "digits/n=50#4"):
        store.save(key, 10, {})
    (files(tmp_path / "storage")[0].parent / ".partial-1").write_bytes(b"left by a killed write")
    storage.write("sweeps/other/checkpoints/digits_n=50_4/attempt-00001/step-0000000010.pt", b"x")
    prune(storage, "digits", {KEY})
    assert [path.relative_to(tmp_path / "storage").parts[1:4:2] for path in files(tmp_path / "storage")] == [
        ("digits", "digits_n=50_3"),
        ("other", "digits_n=50_4"),
    ]
    prune(storage, "digits", ())
    assert not (tmp_path / "storage" / "sweeps" / "digits").exists()
