"""One real trial of everything that is shipped: data sets, objectives, controls, networks, search spaces."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

import kdsearch
from kdsearch.cli import main
from kdsearch.config.compose import compose_sweep
from kdsearch.config.compose import group_options
from kdsearch.config.schema import AugmentationConfig
from kdsearch.config.schema import SweepConfig
from kdsearch.config.schema import TrainingConfig
from kdsearch.config.spaces import shipped_folder
from kdsearch.data import Arrays
from kdsearch.data import Splits
from kdsearch.distiller import DistillResult
from kdsearch.features.spec import FEATURE_SPECS
from kdsearch.ledger import Kind
from kdsearch.ledger import TrialState
from kdsearch.objectives.spec import SPECS
from kdsearch.recipe import Recipe
from kdsearch.search.plan import CONTROLS
from kdsearch.search.plan import control_plans
from kdsearch.search.space import search_space
from kdsearch.teacher import LessonPlan
from kdsearch.teacher import Teacher
from tests.e2e.formats import WRITERS
from tests.e2e.harness import Workplace

FEW = TrainingConfig(steps=2, batch_size=4, evaluations=1)
CLASSES = {"cifar10": 10, "cifar100": 100, "mnist": 10, "fashion_mnist": 10, "digits": 10, "mnist_5k": 10, "letter": 26}


def composed(*overrides: str) -> SweepConfig:
    return compose_sweep(overrides, outside_world=False).config


def finite(result: DistillResult) -> bool:
    return result.completed and all(math.isfinite(value) for value in result.metrics.values())


def small_words(dataset: str, folder: Path) -> list[str]:
    """The shipped config with files of its format, and a budget of a few steps."""
    count = max(12, CLASSES.get(dataset, 0))
    validation = {"mnist": 10, "fashion_mnist": 10}.get(dataset, count)
    steps = ["training.steps=2", "training.batch_size=8", "teacher.training.epochs=null", "teacher.training.steps=2"]
    counts = [f"dataset.validation_count={validation}", f"sample_counts=[{count}]", "teacher.sample_count=null"]
    return [f"dataset={dataset}", *WRITERS[dataset](folder), *counts, *steps, "teacher.training.batch_size=8"]


# Data sets


def test_every_data_set_has_a_writer() -> None:
    assert set(group_options()["dataset"]) == set(WRITERS)


@pytest.mark.parametrize("dataset", WRITERS)
def test_a_trial_of_every_data_set(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(["distill", "--json", "temperature=4", "alpha=0.9", *small_words(dataset, tmp_path / "data")]) == 0
    [metrics] = json.loads(capsys.readouterr().out)["recipes"].values()
    assert {"val_accuracy", "val_nll", "val_agreement", "train_loss"} <= set(metrics)
    assert all(math.isfinite(value) for value in metrics.values())


# Objectives, feature objectives and controls


@pytest.fixture(scope="module")
def digits() -> Splits:
    return kdsearch.load_dataset("digits").without_test()


@pytest.fixture(scope="module")
def cnns() -> SweepConfig:
    """A student and a teacher whose layers every feature objective can compare."""
    return composed("student=cnn", "student.channels=[4,4]", "teacher=cnn", "teacher.model.channels=[8,8]")


@pytest.fixture(scope="module")
def teacher(digits: Splits, cnns: SweepConfig) -> Teacher:
    steps = cnns.teacher.training.model_copy(update={"epochs": None, "steps": 100, "evaluations": 1})
    return kdsearch.train_teacher(digits, cnns.teacher.model_copy(update={"training": steps}))


class Trainer:
    """Trains students of one teacher, a few steps each."""

    def __init__(self, digits: Splits, cnns: SweepConfig, teacher: Teacher) -> None:
        self._data, self._student, self._teacher = digits, cnns.student, teacher

    def train(self, recipe: Recipe, plan: LessonPlan | None = None) -> DistillResult:
        return kdsearch.api.train_student(
            self._data,
            self._teacher,
            recipe,
            sample_count=20,
            student=self._student,
            training=TrainingConfig(steps=6, evaluations=2),
            plan=plan,
        )


@pytest.fixture(scope="module")
def trainer(digits: Splits, cnns: SweepConfig, teacher: Teacher) -> Trainer:
    return Trainer(digits, cnns, teacher)


@pytest.mark.parametrize("alpha", [1.0, 0.7])
@pytest.mark.parametrize("objective", SPECS)
def test_a_trial_of_every_objective(objective: str, alpha: float, trainer: Trainer) -> None:
    result = trainer.train(Recipe.from_params({"objective": objective, "alpha": alpha}))
    assert finite(result)
    switches = {parameter.name: True for parameter in SPECS[objective].parameters if parameter.switch}
    if switches:
        switched = trainer.train(Recipe.from_params({"objective": objective, "alpha": alpha, **switches}))
        assert finite(switched) and switched.metrics["train_loss"] != result.metrics["train_loss"]


@pytest.mark.parametrize("mode", ["none", "bank", "online"])
@pytest.mark.parametrize("feature", FEATURE_SPECS)
def test_a_trial_of_every_feature_objective(feature: str, mode: Any, trainer: Trainer) -> None:
    """With signals of every kind; the feature's loss comes on top of that on logits."""
    transforms = () if mode == "none" else ("RandomHorizontalFlip",)
    plan = LessonPlan(0, AugmentationConfig(mode=mode, views=2, transforms=transforms))
    losses = []
    for name in ("none", feature):
        result = trainer.train(Recipe.from_params({"objective": "kl", "feature_objective": name}), plan)
        assert finite(result)
        losses.append(result.metrics["train_loss"])
    assert losses[1] > losses[0]


def test_a_trial_of_every_control(trainer: Trainer) -> None:
    controls = [name for name in CONTROLS if name not in ("teachers", "students")]  # of others than the sweep's own
    [plan] = control_plans(composed("sample_counts=[20]", f"controls=[{','.join(controls)}]"))
    assert [fixed.control for fixed in plan.fixed] == controls
    losses = {}
    for fixed in plan.fixed:
        result = trainer.train(fixed.recipe)
        assert finite(result), fixed.control
        losses[fixed.control] = result.metrics["train_loss"]
    assert len(set(losses.values())) == len(controls), losses


# Networks


@pytest.fixture(scope="module")
def images() -> Splits:
    return noise((3, 32, 32))


@pytest.fixture(scope="module")
def tokens() -> Splits:
    return noise((12,), vocabulary_size=30)


def noise(shape: tuple[int, ...], vocabulary_size: int | None = None) -> Splits:
    random, targets = np.random.default_rng(0), np.arange(32) % 3
    numbers = random.normal(size=(32, *shape)).astype(np.float32)
    inputs: np.ndarray = numbers if vocabulary_size is None else random.integers(1, vocabulary_size, (32, *shape))
    arrays = Arrays(inputs, targets, inputs[:8], targets[:8], class_count=3, vocabulary_size=vocabulary_size)
    return kdsearch.load_dataset(arrays, validation_count=8)


def chosen(group: str, name: str, key: str) -> SweepConfig:
    own = [f"{key}._target_=tests.e2e.models.linear"] if name == "custom" else []
    return composed(f"{group}={name}", *own)


@pytest.mark.parametrize("name", group_options()["student"])
def test_a_trial_of_every_student(name: str, images: Splits, tokens: Splits) -> None:
    data = tokens if name == "transformer" else images
    student = chosen("student", name, "student").student
    assert finite(kdsearch.distill(data, sample_count=8, student=student, training=FEW))


@pytest.mark.parametrize("name", group_options()["teacher"])
def test_every_teacher_is_trained_and_teaches(name: str, images: Splits, tokens: Splits) -> None:
    data = tokens if name == "transformer" else images
    config = chosen("teacher", name, "teacher.model").teacher
    few = config.training.model_copy(update={"epochs": None, "steps": 2, "batch_size": 4, "evaluations": 1})
    teacher = kdsearch.train_teacher(data, config.model_copy(update={"training": few}))
    student = composed(f"student={'transformer' if data is tokens else 'cnn'}").student
    assert finite(kdsearch.distill(data, teacher, sample_count=8, temperature=2.0, student=student, training=FEW))


# Search spaces


@pytest.mark.parametrize("name", [file.stem for file in sorted(shipped_folder().glob("*.yaml"))])
def test_every_space_asks_for_what_applies_and_trains(name: str, trainer: Trainer) -> None:
    config = composed(f"search_space={name}").search_space
    space = search_space(config)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    asked: set[str] = set()
    for number in range(60):
        trial = study.ask()
        recipe = space.suggest(trial)
        takes = {parameter.name for parameter in SPECS[recipe.objective].parameters}
        everywhere = {"objective", "alpha", "learning_rate", "weight_decay"}
        applies = (takes | everywhere) & {dimension.name for dimension in space.dimensions}
        assert set(trial.params) == applies, recipe
        assert set(recipe.hyperparameters) <= takes
        asked |= set(trial.params)
        if number < 5:
            assert finite(trainer.train(recipe)), recipe
    searched = {key for key, range_ in config.parameters.items() if key != "objective" or len(range_.choices or ()) > 1}
    assert asked == searched


# Sweeps

SWEEP = (
    "trials_per_count=2",
    "controls=[labels,label_smoothing]",
    "confirm.top_k=1",
    "confirm.seeds=1",
    "training.evaluations=2",
    "teacher.training.evaluations=1",
)


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["text", "table", "imagefolder", "cifar10", "tiny_imagenet"])
def test_a_sweep_of_every_kind_of_data(dataset: str, workplace: Workplace) -> None:
    data = workplace.folder / "data"
    data.mkdir()
    words = [word for word in small_words(dataset, data) if word != f"dataset={dataset}"]
    address = f"cluster.address={workplace.ray_address}"
    workplace.run("sweep", f"dataset={dataset}", "name=small", address, *words, *SWEEP)
    records = workplace.load("small").records
    assert [record.state for record in records] == [TrialState.COMPLETE] * (2 + 2 + 3)
    assert all("test_accuracy" in record.metrics for record in records if record.kind is Kind.CONFIRM)
    assert workplace.status("small")["state"] == "complete"


@pytest.mark.slow
def test_a_sweep_over_everything_that_can_be_searched(workplace: Workplace) -> None:
    """All objectives and what they take, feature objectives, teachers, subsets, unlabelled samples, all controls."""
    space = "search_space.parameters"
    searched = [f"{space}.feature_objective={{}}", f"{space}.feature_weight={{}}", f"{space}.angle_weight={{}}"]
    choices = [f"{space}.subset.choices=[stratified,uniform,balanced,easy,hard]", f"{space}.learning_rate={{}}"]
    networks = ["student=[cnn]", "student.channels=[4,4]", "teacher=[self,cnn]", "teachers.cnn.model.channels=[8,8]"]
    steps = ["training.steps=4", "teacher.training.epochs=null", "teacher.training.steps=20"]
    workplace.run(
        "sweep",
        f"cluster.address={workplace.ray_address}",
        *("search_space=objectives", *searched, *choices, *networks, *steps, *SWEEP),
        *("sample_counts=[20]", "trials_per_count=24", "sampler=random", "dataset.unlabelled_count=30"),
        f"controls=[{','.join(CONTROLS)}]",
    )
    records = workplace.load().records
    assert all(record.state is TrialState.COMPLETE for record in records)
    trials = [record.recipe for record in records if record.kind is Kind.SEARCH]
    assert len(trials) == 24
    assert {recipe.teacher for recipe in trials} == {"self", "cnn"}
    assert len({recipe.objective for recipe in trials}) > 5
    assert {recipe.feature.objective for recipe in trials if recipe.feature} == set(FEATURE_SPECS)
    assert len({recipe.subset for recipe in trials}) == 5
    assert workplace.status()["mlflow"]["missing"] == 0
