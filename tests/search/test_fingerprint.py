from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kdsearch.data import load_splits
from kdsearch.errors import InputError
from kdsearch.search.fingerprint import changes
from kdsearch.search.fingerprint import check_same_data
from kdsearch.search.fingerprint import fingerprint
from tests.search.simulation import make_config


def test_nothing_changed_is_nothing_to_tell() -> None:
    config = make_config()
    splits = load_splits(config.dataset, config.seed)
    before, now = (fingerprint(config, splits, torch.device("cpu")) for _ in range(2))
    check_same_data(config, before, now)
    check_same_data(config, {}, now)
    assert changes(before, now) == changes({}, now) == []
    assert {"data", "device", "kdsearch", "torch"} == set(now)


def test_other_data_are_refused() -> None:
    config = make_config()
    with pytest.raises(InputError, match="dataset=digits: its content has changed since the sweep began"):
        check_same_data(config, {"data": "a"}, {"data": "b"})


def test_other_code_versions_and_devices_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "users_network.py"
    source.write_text("def network(**shape): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    config = make_config(student={"name": "own", "_target_": "users_network.network"})
    splits = load_splits(config.dataset, config.seed)
    before = fingerprint(config, splits, torch.device("cpu"))
    source.write_text("def network(**shape): return None\n")
    now = fingerprint(config, splits, torch.device("cpu")) | {"device": "cuda", "torch": "9.9"}
    told = changes(before, now)
    assert len(told) == 3
    assert any("code of users_network.network has changed" in message for message in told)
    assert any("device is now cuda, it was cpu" in message for message in told)
