"""Which files go to the cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdsearch.errors import InputError
from kdsearch.remote.code import LIMIT
from kdsearch.remote.code import user_files


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_named_modules_and_what_they_import(here: Path) -> None:
    for name, text in {
        "mine.py": "import numpy, torch\nimport helper\nraise SystemExit('is not executed')",
        "helper.py": "from own.layers import Layer",
        "unrelated.py": "",
        "own/__init__.py": "",
        "own/layers.py": "from . import sizes\nfrom kdsearch.data import Arrays",
        "own/sizes.yaml": "a: 1",
        "own/images.npz": "data",
        "own/.hidden/secret.py": "",
        "own/__pycache__/layers.py": "",
        "own/.env.txt": "PASSWORD=hunter2",
        "search_spaces/mine.yaml": "parameters: {}",
        "data/train.csv": "1",
        "mine.npz": "data",
        ".git/config.txt": "",
    }.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)
    files = user_files(["mine.network", "mine.load", "torch.nn.Linear", "kdsearch.data.load"], here)
    assert sorted(files) == [
        "helper.py",
        "mine.py",
        "own/__init__.py",
        "own/layers.py",
        "own/sizes.yaml",
        "search_spaces/mine.yaml",
    ]
    assert all(file == here / name for name, file in files.items())


def test_nothing_where_nothing_is_the_users(here: Path) -> None:
    assert user_files(["torch.nn.Linear", "not_there.load", "json.loads"], here) == {}


def test_too_large(here: Path) -> None:
    (here / "big").mkdir()
    (here / "big" / "__init__.py").write_text("")
    (here / "big" / "vocabulary.json").write_bytes(b" " * (LIMIT + 1))
    with pytest.raises(InputError, match=r"must be at most 10 MB, without data; .* big/vocabulary.json \(10.0 MB\)"):
        user_files(["big.load"], here)
