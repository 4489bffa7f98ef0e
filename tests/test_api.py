"""kdsearch from Python, as the README shows it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import kdsearch
from kdsearch import Sweep
from kdsearch.config.schema import ModelConfig
from kdsearch.config.schema import TeacherConfig
from kdsearch.config.schema import TrainingConfig
from kdsearch.data import Arrays
from kdsearch.data import digits
from kdsearch.errors import InputError
from tests.kept import COUNTS
from tests.kept import finished

QUICK = TrainingConfig(steps=100, evaluations=2)
TEACHER = TeacherConfig(
    name="mlp", model=ModelConfig(name="mlp", hidden=(64,)), training=TrainingConfig(epochs=20, evaluations=1)
)


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    return kdsearch.load("digits", storage=str(finished().folder / "kdsearch-data"))


def test_five_lines(tmp_path: Path) -> None:
    data = kdsearch.load_dataset("digits")
    teacher = kdsearch.train_teacher(data, TEACHER, storage=str(tmp_path))
    labels = kdsearch.distill(data, sample_count=50, training=QUICK)
    student = kdsearch.distill(data, teacher, sample_count=50, temperature=4, training=QUICK)
    assert student.metrics["val_accuracy"] > labels.metrics["val_accuracy"]
    assert student.metrics["val_agreement"] > 0.5 and "val_agreement" not in labels.metrics
    assert kdsearch.train_teacher(data, TEACHER, storage=str(tmp_path)).record() == teacher.record()


def test_own_arrays() -> None:
    generator = np.random.default_rng(0)
    targets = np.arange(200) % 2
    inputs = (generator.normal(size=(200, 4)) + 3 * targets[:, None]).astype(np.float32)
    data = kdsearch.load_dataset(Arrays(inputs[:150], targets[:150], inputs[150:], targets[150:], class_count=2))
    assert (len(data.pool), len(data.validation)) == (120, 30)
    result = kdsearch.distill(data, sample_count=20, training=QUICK)
    assert result.metrics["val_accuracy"] > 0.9


def test_wrong_names() -> None:
    data = kdsearch.load_dataset("digits")
    teacher = kdsearch.train_teacher(data, TEACHER.model_copy(update={"training": QUICK}))
    with pytest.raises(InputError, match="digits, fashion_mnist"):
        kdsearch.load_dataset("digit")
    with pytest.raises(InputError, match="kl, mse"):
        kdsearch.distill(data, teacher, sample_count=50, objective="ce", training=QUICK)
    with pytest.raises(InputError, match="temprature"):
        kdsearch.distill(data, teacher, sample_count=50, temprature=4, training=QUICK)
    with pytest.raises(AttributeError, match="no_such_name"):
        kdsearch.no_such_name  # noqa: B018


def test_importing_is_quick() -> None:
    code = "import sys, kdsearch; sys.exit(bool({'torch', 'ray', 'optuna', 'mlflow', 'sklearn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_sweep_as_tables_and_studies(sweep: Sweep) -> None:
    trials = sweep.trials
    assert len(trials) == len(sweep.records) == trials["trial"].nunique()
    assert set(trials["kind"]) == {"search", "control", "confirm"} and set(trials["sample_count"]) == set(COUNTS)
    searched = trials[trials["kind"] == "search"]
    assert list(sweep.studies) == list(COUNTS)
    for count, study in sweep.studies.items():
        values = searched.loc[searched["sample_count"] == count, "value"]
        assert study.best_value == pytest.approx(values.max()) and len(study.trials) == len(values)


def test_the_best_recipe_and_its_student(sweep: Sweep) -> None:
    test = digits.load()
    inputs = torch.from_numpy(np.asarray(test.test_inputs))
    for count in COUNTS:
        best = sweep.best(count)
        assert best["seeds"] == 3 and "alpha" in best["params"]
        accuracy = float((sweep.student(count)(inputs).argmax(1).numpy() == test.test_targets).mean())
        rows = sweep.trials.query("kind == 'confirm' and sample_count == @count and control.isna()")
        assert accuracy == pytest.approx(rows.loc[rows["val_accuracy"].idxmax(), "test_accuracy"])
    with pytest.raises(KeyError, match="nothing confirmed at n=30"):
        sweep.student(30)
    with pytest.raises(FileNotFoundError, match="no student of digits at n=20"):
        dataclasses.replace(sweep, storage="/nowhere").student(20)


def test_the_report_of_a_sweep(sweep: Sweep, tmp_path: Path) -> None:
    html = sweep.report(tmp_path / "report")
    assert html.name == "report.html" and "digits" in html.read_text()
    assert json.loads((tmp_path / "report" / "report.json").read_text()) == json.loads(json.dumps(sweep.results))


def test_by_its_ledger_alone(sweep: Sweep) -> None:
    found = kdsearch.load("digits", ledger=sweep.ledger)
    assert found.storage == sweep.storage and found.records == sweep.records
    with pytest.raises(InputError, match="it has: digits"):
        kdsearch.load("digit", ledger=sweep.ledger)


def test_the_figures_of_a_sweep(sweep: Sweep, tmp_path: Path) -> None:
    figures = sweep.figures
    assert {"data_efficiency", "labels_saved", "best_so_far"} <= figures.keys()
    figures["data_efficiency"].save(str(tmp_path / "figure.json"))
    drawn = json.loads((tmp_path / "figure.json").read_text())
    assert drawn["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
