"""Which student is taken: by validation, never by the test split."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from kdsearch.config.schema import ModelConfig
from kdsearch.ledger import TrialRecord
from kdsearch.recipe import Recipe
from kdsearch.storage import LocalStorage
from kdsearch.students import Description
from kdsearch.students import KeptStudent
from kdsearch.students import StudentStore
from kdsearch.students.choice import best_student
from kdsearch.students.choice import chosen_recipes
from tests.factories import make_confirmations
from tests.factories import make_control
from tests.factories import make_record
from tests.factories import make_sweep

LINEAR = Description.of(ModelConfig(name="mlp", hidden=()), (2,), 2)
VALIDATION = [0.80, 0.85, 0.85]


@pytest.fixture
def records() -> list[TrialRecord]:
    """A recipe that is better on test, and one that is better on validation, which is the one to take."""
    good, lucky, labels = make_record(0), make_record(1, recipe=Recipe("mse", 0.5)), make_control()
    return [
        *(good, lucky, labels),
        *make_confirmations(good.key, [0.9, 0.7, 0.8], VALIDATION, recipe=good.recipe),
        *make_confirmations(lucky.key, [0.99] * 3, [0.79] * 3, recipe=lucky.recipe, first_number=3),
        *make_confirmations(
            labels.key, [0.5] * 3, [0.6, 0.5, 0.5], recipe=labels.recipe, control="labels", first_number=6
        ),
    ]


@pytest.fixture
def store(tmp_path: Path) -> StudentStore:
    return StudentStore(LocalStorage(tmp_path), "sweep", "uid")


def test_the_best_on_validation_and_of_equals_the_first(records: list[TrialRecord], store: StudentStore) -> None:
    choice = chosen_recipes(make_sweep(), records)[100]
    assert choice.distilled.recipe.objective == "kl"
    assert choice.labels is not None and choice.labels.is_labels
    study = "sweep/confirm/n=100"
    assert best_student(choice.distilled, "val_accuracy", store) is None
    for number in range(9):
        store.save(KeptStudent.of(f"{study}#{number}", "uid", LINEAR, nn.Sequential()))
    best = best_student(choice.distilled, "val_accuracy", store)
    assert best is not None and best.trial.key == best.student.trial == f"{study}#1"
    rival = best_student(choice.labels, "val_accuracy", store)
    assert rival is not None and rival.trial.key == f"{study}#6"
    worst = best_student(choice.distilled, "val_nll", store)
    assert worst is not None and worst.trial.key == f"{study}#0", "of a loss the smallest is the best"


def test_one_that_is_gone_or_damaged_is_passed_over(records: list[TrialRecord], store: StudentStore) -> None:
    choice = chosen_recipes(make_sweep(), records)[100]
    for number in (0, 2):
        store.save(KeptStudent.of(f"sweep/confirm/n=100#{number}", "uid", LINEAR, nn.Sequential()))
    best = best_student(choice.distilled, "val_accuracy", store)
    assert best is not None and best.trial.number == 2
    store.storage.write(store.path(best.trial.key), b"damaged")
    best = best_student(choice.distilled, "val_accuracy", store)
    assert best is not None and best.trial.number == 0
