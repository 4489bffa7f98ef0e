"""What the README promises, asserted on the report of real sweeps: the default one, and Fashion-MNIST."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(1500)


def sweep(folder: Path, name: str, *overrides: str) -> dict[int, dict[str, Any]]:
    """Run the sweep in a fresh folder, with its own Ray, and give its report by sample count."""
    subprocess.run([sys.executable, "-m", "kdsearch", "sweep", *overrides], cwd=folder, check=True)
    report = json.loads((folder / "kdsearch-data" / "sweeps" / name / "report" / "report.json").read_text())
    assert report["evaluated_on"] == "test"
    return {count["sample_count"]: count for count in report["counts"]}


@pytest.mark.slow
def test_the_default_sweep_shows_that_distillation_saves_labels(tmp_path: Path) -> None:
    counts = sweep(tmp_path, "digits")
    assert list(counts) == [20, 50, 100, 200, 400, 800]
    assert counts[50]["gain"] >= 0.10
    assert counts[50]["gain"] - counts[50]["gain_ci95"] > 0
    for n in (20, 50):
        assert counts[n]["gain"] > counts[800]["gain"]
    t1_gain = counts[50]["controls"]["kl_t1"]["mean"] - counts[50]["labels"]["mean"]
    assert t1_gain <= counts[50]["gain"] / 2


@pytest.mark.long
def test_labels_only_is_at_its_plateau(tmp_path: Path) -> None:
    """Twice the steps give the labels-only student less than 1.5 points at any sample count."""
    common = ("controls=[labels]", "trials_per_count=1", "confirm.top_k=1")
    once = sweep(tmp_path, "once", "name=once", *common)
    twice = sweep(tmp_path, "twice", "name=twice", "training.steps=2000", *common)
    for n, count in once.items():
        assert twice[n]["labels"]["mean"] - count["labels"]["mean"] < 0.015


@pytest.mark.long
def test_distillation_gains_on_fashion_mnist(tmp_path: Path) -> None:
    overrides = ("sample_counts=[600]", "trials_per_count=6", "controls=[labels]", "confirm.top_k=1")
    counts = sweep(tmp_path, "fashion_mnist", "dataset=fashion_mnist", *overrides)
    assert counts[600]["gain"] >= 0.04
    assert counts[600]["gain"] - counts[600]["gain_ci95"] > 0
