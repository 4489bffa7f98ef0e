"""A stored configuration is told in overrides that compose it again, and commands that are copied are understood."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from kdsearch.cli.recipe_words import read_recipe
from kdsearch.config.compose import compose_sweep
from kdsearch.ledger.records import TrialRecord
from kdsearch.recipe import FeatureRecipe
from kdsearch.recipe import Recipe
from kdsearch.report.recommendation import Recommendation
from kdsearch.report.recommendation import recommendations
from kdsearch.report.reproduction import STUDENT_KEYS
from kdsearch.report.reproduction import SWEEP_KEYS
from kdsearch.report.reproduction import Composer
from kdsearch.report.results import Results
from tests.factories import make_record
from tests.report.samples import sample_sweep

DATA = ["dataset=custom", "dataset.name=mine", "dataset._target_=mine.load"]
MINE = [*DATA, "student=custom", "student._target_=mine.f"]
COMPOSER = Composer()


@pytest.mark.parametrize(
    "overrides",
    [
        ["dataset=fashion_mnist", "training.epochs=3", "seed=7"],
        ["dataset=digits", "teacher=[self,small,large]", "trials_per_count=5"],
        ["+preset=paper", "dataset=digits"],
        ["+preset=paper", "dataset=fashion_mnist", "preset.size=full", "confirm.top_k=2"],
        ["dataset=digits", "search_space=objectives", "search_space.parameters.temperature.low=2", "name=a-b_c.1"],
        ["dataset=digits", "student=resnet20", "student.name=resnet8", "teacher=resnet56"],
        [
            "dataset=table",
            "dataset.root=/d",
            "dataset.arguments.train='a (1).csv'",
            "dataset.arguments.target='it\\'s'",
        ],
        [*MINE, "student.arguments.width=32", "teacher=custom", "teacher.model._target_=mine.f"],
        ["dataset=digits", "controls=[labels,{label_smoothing:[0.05,0.1]}]", "training.gradient_clip=null"],
        [
            "dataset=digits",
            "training.augmentation.mode=online",
            "training.augmentation.transforms=[RandomHorizontalFlip,{RandomCrop:{size:8,padding:1}}]",
        ],
    ],
    ids=lambda overrides: overrides[-1],
)
def test_overrides_compose_the_same_again(overrides: list[str]) -> None:
    stored = compose_sweep(overrides, outside_world=False).stored
    for keys in (SWEEP_KEYS, STUDENT_KEYS):
        found = COMPOSER.overrides(stored, keys)
        assert found is not None
        again = compose_sweep(found, outside_world=False).stored
        assert {key: again[key] for key in keys} == {key: stored[key] for key in keys}


def test_a_configuration_that_cannot_be_told_is_not() -> None:
    stored = compose_sweep(["dataset=digits"], outside_world=False).stored
    assert COMPOSER.overrides(stored | {"sampler": "of another version"}, SWEEP_KEYS) is None
    del stored["search_space"]["parameters"]["temperature"]  # nothing can take a default parameter away
    assert COMPOSER.overrides(stored, SWEEP_KEYS) is None


RECIPES = [
    Recipe("kl", 0.123456789012345, {"temperature": 34.272942403558}),
    Recipe("mse", 1.0),
    Recipe(
        "kl", 0.5, {"temperature": 3.0, "standardize": True}, training={"learning_rate": 0.123, "weight_decay": 1e-5}
    ),
    Recipe(
        "dkd", 0.9, {"temperature": 4.0, "target_weight": 1.5, "nontarget_weight": 2.5, "warmup": 0.25}, subset="hard"
    ),
    Recipe(
        "kl",
        0.9,
        {"temperature": 2.0},
        feature=FeatureRecipe("rkd", 3.5, {"distance_weight": 25.0, "angle_weight": 2.0}),
    ),
]


def recommended(recipe: Recipe, *overrides: str, folder: str = "/data") -> Recommendation:
    sweep = sample_sweep(overrides=[*overrides, "storage=/data/kdsearch-data"])
    records: list[TrialRecord] = [make_record(0, sample_count=50, value=0.9, recipe=recipe)]
    (found,) = recommendations(Results.of(sweep, records), working_folder=Path(folder))
    return found


@pytest.mark.parametrize("recipe", RECIPES, ids=Recipe.label)
def test_distill_reads_the_recipe_as_it_was(recipe: Recipe) -> None:
    command = recommended(recipe).command
    assert command is not None
    program, subcommand, *words = shlex.split(command)
    assert (program, subcommand) == ("kdsearch", "distill")
    request, overrides, problems = read_recipe(words)
    assert problems == []
    assert (request.sample_count, request.recipe.flat()) == (50, recipe.flat())
    assert overrides == ["dataset=digits"]


def test_teacher_student_and_storage_are_chosen_by_their_overrides() -> None:
    recipe = Recipe("kl", 0.9, {"temperature": 2.0}, teacher="large", student="mlp")
    command = recommended(recipe, "teacher=[small,large]", folder="/elsewhere").command
    assert command is not None
    request, overrides, problems = read_recipe(shlex.split(command)[2:])
    assert problems == [] and request.recipe.teacher is None
    assert overrides == ["dataset=digits", "teacher=large", "storage=/data/kdsearch-data"]


def test_the_python_is_that_recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It runs, and trains what the command would: with searched training keys as part of the configuration."""
    monkeypatch.chdir(tmp_path)
    quick = ["teacher.training.epochs=null", "teacher.training.steps=5", "training.steps=5"]
    recipe = Recipe("kl", 0.5, {"temperature": 3.0, "standardize": True}, training={"learning_rate": 0.123})
    code = recommended(recipe, *quick).python
    assert code is not None
    names: dict[str, object] = {}
    exec(code.replace("storage=/data/kdsearch-data", f"storage={tmp_path}/kdsearch-data"), names)
    assert names["config"].training.learning_rate == 0.123  # type: ignore[attr-defined]
    assert names["config"].training.steps == 5  # type: ignore[attr-defined]
    assert 0 <= names["student"].metrics["val_accuracy"] <= 1  # type: ignore[attr-defined]


def test_what_distill_cannot_be_told_in_python_is_left_to_the_command() -> None:
    assert recommended(RECIPES[-1]).python is None
    assert recommended(RECIPES[0], "dataset.unlabelled_count=50").python is None


def test_a_gain_within_its_interval_is_no_recommendation() -> None:
    assert recommended(RECIPES[0]).is_better is None
