from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kdsearch.config.compose import compose_sweep
from kdsearch.doctor import Finding
from kdsearch.doctor import examine

Examine = Callable[..., dict[str, Finding]]

CHECKS = [
    "config",
    "ledger",
    "mlflow",
    "ray",
    "storage",
    "data",
    "models",
    "versions",
    "devices",
    "clocks",
    "disk",
]


OF_CLUSTERS = ("aws", "access")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command is given: empty."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def examined(folder: Path) -> Examine:
    """The findings of all checks, given overrides."""

    def find(*overrides: str) -> dict[str, Finding]:
        findings = list(examine(compose_sweep(overrides, outside_world=False).config))
        assert [f.check for f in findings if f.check not in OF_CLUSTERS] == CHECKS
        assert "hunter2" not in repr(findings)
        return {finding.check: finding for finding in findings}

    return find


def bad(findings: dict[str, Finding]) -> list[str]:
    return [check for check, finding in findings.items() if finding.is_bad]


LOADER = """
import numpy as np
from torch import nn
from kdsearch.data import Arrays


def load():
    print("loading")
    values = np.random.default_rng(0).normal(size=(120, 4))
    return Arrays(values[:90], np.arange(90) % 3, values[90:], np.arange(30) % 3, class_count=3)


def network(input_shape, class_count):
    return nn.Sequential(nn.Flatten(), nn.Linear(4, class_count))
"""


def own_code(module: str, folder: Path) -> list[str]:
    """Overrides for a data set and a student of the user's, in `module`, which is put into `folder`."""
    folder.mkdir(exist_ok=True)
    (folder / f"{module}.py").write_text(LOADER)
    data = ["dataset=custom", "dataset.name=mine", f"dataset._target_={module}.load", "dataset.validation_count=20"]
    return [*data, "student=custom", f"student._target_={module}.network", "sample_counts=[10,20]"]
