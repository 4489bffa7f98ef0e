from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdsearch.cli import main
from kdsearch.cli.recipe_words import read_recipe

QUICK = ["teacher.training.epochs=20", "training.steps=200"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_teacher_is_trained_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["teacher", "--json", *QUICK]) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["val_accuracy"] > 0.9
    [kept] = (folder / "kdsearch-data" / "teachers").iterdir()
    assert kept.name == first["hash"]
    assert main(["teacher", "--json", *QUICK]) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert main(["teacher", "teacher.training.epochs=2"]) == 0
    assert "val_accuracy" in capsys.readouterr().out
    assert len(list((folder / "kdsearch-data" / "teachers").iterdir())) == 2


def test_distill_and_labels_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["sample_count=50", "temperature=4", "alpha=0.9", "--compare-labels", *QUICK]
    assert main(["distill", "--json", *words]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["sample_count"] == 50
    distilled, labels = document["recipes"]["kl T=4 a=0.90"], document["recipes"]["labels"]
    assert distilled["val_accuracy"] > labels["val_accuracy"]
    assert main(["distill", *words]) == 0
    shown = capsys.readouterr().out
    gain = 100 * (distilled["val_accuracy"] - labels["val_accuracy"])
    assert f"gain over labels: {gain:+.1f} points" in shown
    assert "digits, n=50" in shown


def test_distill_names_the_problems_of_recipe_and_configuration(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["distill", "objective=mse", "temperature=3", "alpha=2", "sample_count=5", "seed=x"]) == 2
    lines = [line.removeprefix("kdsearch: error: ") for line in capsys.readouterr().err.splitlines()]
    assert [line.split(": ")[0] for line in lines] == ["temperature=3", "alpha=2", "seed=x", "sample_counts=5"]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (
            ["objective=kll"],
            "objective=kll: must be one of kl, mse, l1, reverse_kl, jsd, dkd, nkd, dist, rld, labels; did you mean kl?",
        ),
        (["temperature=0"], "temperature=0: must be > 0"),
        (["temperature=hot"], "temperature=hot: must be a number > 0"),
        (["temperature=true"], "temperature=true: must be a number > 0"),
        (["alpha=1.5"], "alpha=1.5: must be >= 0 and <= 1"),
        (["learning_rate=0"], "learning_rate=0: must be > 0"),
        (["sample_count=0"], "sample_count=0: must be an integer >= 1"),
        (["sample_count=[5]"], "sample_count=[5]: must be an integer >= 1"),
        (
            ["label_smoothing=0.1"],
            "label_smoothing=0.1: objective=kl takes subset, signal, feature_objective",
        ),
        (["objective=labels", "label_smoothing=1"], "label_smoothing=1: must be a number >= 0 and < 1"),
        (["objective=labels", "alpha=0.5"], "alpha=0.5: objective=labels takes label_smoothing"),
        (["temperature=[1"], "temperature=[1: cannot be read"),
        (["feature_weight=2"], "feature_weight=2: objective=kl takes subset"),
        (["feature_objective=rkd", "angle_weight=-1"], "angle_weight=-1: must be >= 0"),
        (["feature_objective=fit"], "feature_objective=fit: must be one of none, fitnet"),
        (["subset=easiest"], "subset=easiest: must be one of stratified"),
    ],
)
def test_wrong_recipes(words: list[str], problem: str) -> None:
    _, others, problems = read_recipe([*words, "seed=3"])
    assert others == ["seed=3"]
    assert [str(found)[: len(problem)] for found in problems] == [problem]


def test_recipe_words() -> None:
    request, others, problems = read_recipe(["alpha=0.8", "learning_rate=0.1", "sample_count=9", "training.steps=5"])
    assert problems == []
    assert others == ["training.steps=5"]
    assert request.sample_count == 9
    assert request.recipe.alpha == 0.8
    assert request.recipe.hyperparameters == {"temperature": 4.0}
    assert request.recipe.training == {"learning_rate": 0.1}
