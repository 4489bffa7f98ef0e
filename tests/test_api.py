"""kdsearch from Python, as the README shows it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kdsearch
from kdsearch.config.schema import ModelConfig
from kdsearch.config.schema import TeacherConfig
from kdsearch.config.schema import TrainingConfig
from kdsearch.data import Arrays
from kdsearch.errors import InputError

QUICK = TrainingConfig(steps=100, evaluations=2)
TEACHER = TeacherConfig(
    name="mlp", model=ModelConfig(name="mlp", hidden=(64,)), training=TrainingConfig(epochs=20, evaluations=1)
)


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
