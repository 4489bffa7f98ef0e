"""`+preset=paper`: what it composes to, with every data set and with what users say besides."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdsearch.cli import main
from kdsearch.config.compose import apply_overrides
from kdsearch.config.compose import compose_sweep
from kdsearch.config.compose import group_options
from kdsearch.config.presets import at_share
from kdsearch.config.schema import SweepConfig
from kdsearch.errors import ExitCode
from kdsearch.errors import InputError
from kdsearch.search.plan import control_plans
from kdsearch.search.plan import planned_target


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compose(*overrides: str) -> SweepConfig:
    return compose_sweep(["+preset=paper", *overrides], outside_world=False).config


def control_names(config: SweepConfig) -> list[str | None]:
    return [trial.control for trial in control_plans(config)[0].fixed]


NEEDED = {"custom": ["dataset.name=mine", "dataset._target_=mine.load", "dataset.validation_count=10"]}


@pytest.mark.parametrize("size", ["quick", "full"])
@pytest.mark.parametrize("dataset", group_options()["dataset"])
def test_it_composes_with_every_data_set(dataset: str, size: str) -> None:
    words = [f"dataset={dataset}", *NEEDED.get(dataset, [])]
    plain = compose_sweep(words, outside_world=False).config
    config = compose(*words, f"preset.size={size}")
    assert (config.sample_counts, config.training, config.teacher) == (
        plain.sample_counts,
        plain.training,
        plain.teacher,
    )
    assert config.confirm.seeds >= 4 and config.confirm.top_k >= 1
    assert config.teachers["few"].sample_count in config.sample_counts
    assert {"labels", "kl", "kl=20", "shuffled_teacher", "teacher=few"} <= set(control_names(config))
    assert plain.search_space == config.search_space, "the variants are compared, not searched"


def test_variants_are_the_sweeps_own_teacher_and_student_but_for_what_is_changed() -> None:
    config = compose("teacher.training.epochs=7", "student.dropout=0.5", "teachers.small.model.hidden=[5]")
    assert config.teachers["large"].training == config.teacher.training
    assert config.teachers["large"].model.hidden == (512, 512)
    assert config.teachers["small"].model.hidden == (5,)
    assert config.teachers["few"].model == config.teacher.model
    assert config.teachers["few"].training.epochs is None
    assert config.students["wide"].dropout == 0.5 and config.students["wide"].hidden == (128, 128)


def test_every_variant_has_its_controls() -> None:
    names = control_names(compose())
    assert names.count("kl") == 1
    assert {"teacher=few", "teacher=small", "teacher=large", "labels student=wide", "kl student=wide"} <= set(names)
    recipes = {trial.control: trial.recipe for trial in control_plans(compose())[0].fixed}
    assert recipes["teacher=few"].teacher == "few" and recipes["kl"].teacher is None
    assert recipes["labels student=wide"].source.is_taught is False
    assert recipes["kl"].hyperparameters == recipes["shuffled_teacher"].hyperparameters == {"temperature": 4.0}
    assert recipes["mse"].objective == "mse" and recipes["mse"].alpha == 1.0


def test_what_users_say_wins_wherever_it_stands() -> None:
    for words in (
        ["trials_per_count=3", "+preset=paper", "preset.size=full", "sample_counts=[30]", "confirm.seeds=5"],
        ["preset.size=full", "confirm.seeds=5", "sample_counts=[30]", "trials_per_count=3", "preset=paper"],
    ):
        config = compose_sweep(words, outside_world=False).config
        assert (config.trials_per_count, config.sample_counts, config.confirm.seeds) == (3, (30,), 5)
        assert config.confirm.top_k == 3 and config.teachers["few"].sample_count == 30


def test_teachers_that_are_searched_go_beside_the_variants() -> None:
    config = compose("teacher=[mlp,self]")
    assert list(config.teachers)[:2] == ["mlp", "self"] and "few" in config.teachers
    assert config.search_space.parameters["teacher"].choices == ("mlp", "self")


def test_a_network_without_variants_has_no_students_to_compare() -> None:
    config = compose("student=resnet20", "teacher=resnet56", "dataset=cifar10")
    assert config.students == {} and "students" not in config.controls
    assert list(config.teachers) == ["few", "sharp"]


def test_what_is_stored_is_plain_and_can_be_resumed() -> None:
    composed = compose_sweep(["+preset=paper", "preset.size=full"], outside_world=False)
    assert "preset" not in composed.stored
    assert composed.stored["trials_per_count"] == 60 and composed.stored["confirm"] == {"top_k": 3, "seeds": 10}
    more = apply_overrides(composed.stored, ["search_space=objectives"], outside_world=False).config
    assert "teacher" not in more.search_space.parameters
    assert planned_target(more) == planned_target(composed.config)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["+preset=papier"], "preset=papier: must be one of paper"),
        (["+preset=paper", "preset.size=huge"], "preset.size=huge: must be one of quick, full"),
        (["preset.size=full"], "preset.size=full: there is no preset"),
        (["+preset=paper", "preset.sise=full"], "preset.sise=full: unknown key"),
        (["controls=[students]"], "controls[0]=students: there are no students"),
        (["controls=[kl,{kl:[4,0]}]"], "controls[1].kl=0: must be > 0"),
        (["controls=[kl,kl]"], "controls[1]=kl: must not be named twice"),
    ],
)
def test_bad_input(words: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        compose_sweep(words)
    assert message in str(caught.value).replace("0.0", "0")
    assert len(caught.value.problems) == 1


def test_a_dry_run_and_the_composed_configuration(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "+preset=paper", "preset.size=quick", "--dry-run"]) == ExitCode.DONE
    assert "trials" in capsys.readouterr().out
    assert main(["sweep", "+preset=paper", "--cfg", "job"]) == ExitCode.DONE
    assert "${preset" not in capsys.readouterr().out
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("counts", "share", "found"),
    [([800, 20, 50, 100], 0.0, 20), ([20, 50, 100], 0.5, 50), ([7], 0.5, 7), ("x", 1, None)],
)
def test_a_share_of_the_sample_counts(counts: object, share: float, found: int | None) -> None:
    assert at_share(counts, share) == found
