"""`teacher=[a,b]`: what is composed, stored, searched and resumed where a search chooses the teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

from kdsearch.cli import main
from kdsearch.config.compose import apply_overrides
from kdsearch.config.compose import compose_sweep
from kdsearch.config.schema import SweepConfig
from kdsearch.config.schema import TeacherConfig
from kdsearch.errors import ExitCode
from kdsearch.errors import InputError
from kdsearch.search.space import search_space

SPACE = "search_space.parameters"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compose(*overrides: str) -> SweepConfig:
    return compose_sweep(overrides).config


def stored(*overrides: str) -> dict[str, Any]:
    return compose_sweep(overrides).stored


def choices(config: SweepConfig) -> tuple[object, ...] | None:
    searched = config.search_space.parameters.get("teacher")
    return None if searched is None else searched.choices


@pytest.mark.parametrize("names", [["small", "self"], ["self", "large", "small"]])
def test_each_is_as_if_chosen_alone_and_the_first_is_the_sweeps_own(names: list[str]) -> None:
    config = compose(f"teacher=[{','.join(names)}]")
    assert list(config.teachers) == names
    assert config.teachers == {name: compose(f"teacher={name}").teacher for name in names}
    assert config.teacher == config.teachers[names[0]]
    assert choices(config) == tuple(names)


def test_one_teacher_is_not_searched() -> None:
    config = compose("teacher=small")
    assert config.teachers == {}
    assert choices(config) is None
    assert choices(compose("teacher=[small]")) == ("small",)


def test_shared_and_own_overrides(folder: Path) -> None:
    config = compose(
        "teacher=[small,self]",
        "teacher.training.batch_size=16",
        "teacher.sample_count=500",
        "teachers.self.sample_count=300",
        "teachers.small.model.hidden=[5]",
        "teachers.small.seeds=2",
    )
    small, own = config.teachers["small"], config.teachers["self"]
    assert {teacher.training.batch_size for teacher in (config.teacher, small, own)} == {16}
    assert (small.sample_count, own.sample_count) == (500, 300)
    assert (small.model.hidden, own.model.hidden) == ((5,), (32, 32))
    assert small.is_ensemble and not own.is_ensemble
    # `teacher`, which controls use, is the first as it is shared; what is one teacher's own stays with that one.
    assert (config.teacher.model.hidden, config.teacher.seeds) == ((64, 64), 1)


def test_self_has_the_students_network_whatever_is_said_of_it() -> None:
    config = compose("teacher=[small,self]", "student.hidden=[7]", "student.dropout=0.25")
    assert config.teachers["self"].model == config.student
    assert config.teachers["small"].model.hidden == (64, 64)
    images = compose("teacher=[self,small]", "student=cnn")
    assert images.teacher.model == images.teachers["self"].model == images.student


def test_self_stays_a_reference_in_what_is_stored() -> None:
    found = stored("teacher=[small,self]")
    assert found["teachers"]["self"]["model"] == "${student}"
    assert apply_overrides(found, []).config == compose("teacher=[small,self]")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["teacher=[small,self]", "teacher=large"], []),
        (["teacher=large", "teacher=[small,self]"], ["small", "self"]),
        (["teacher=[large]", "teacher=[small,self]"], ["small", "self"]),
    ],
)
def test_the_last_choice_wins(words: list[str], names: list[str]) -> None:
    config = compose(*words)
    assert list(config.teachers) == names
    assert config.teacher == compose(f"teacher={[*names, 'large'][0]}").teacher


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100", "tiny_imagenet", "imagenet"])
def test_a_data_set_that_has_a_teacher_of_its_own_can_have_any_other(dataset: str) -> None:
    own = compose_sweep([f"dataset={dataset}"], outside_world=False).config.teacher
    assert own.model.channels is not None and own.training.epochs == 20
    for other in ("self", "resnet56", "wrn_40_2", "timm"):
        config = compose_sweep([f"dataset={dataset}", f"teacher=[{own.name},{other}]"], outside_world=False).config
        assert config.teacher == config.teachers[own.name] == own
        assert config.teachers[other].sample_count == own.sample_count


def test_the_space_has_the_teacher_beside_what_the_file_searches(folder: Path) -> None:
    (folder / "search_spaces").mkdir()
    (folder / "search_spaces" / "mine.yaml").write_text("parameters: {alpha: {}, teacher: {}}\n")
    for space in ("default", "objectives", "temperature", "training", "mine"):
        config = compose(f"search_space={space}", "teacher=[self,small]")
        assert choices(config) == ("self", "small"), space
        names = [dimension.name for dimension in search_space(config.search_space).dimensions]
        assert names.count("teacher") == 1
    assert choices(compose("teacher=[self,small,large]", f"{SPACE}.teacher.choices=[small,large]")) == (
        "small",
        "large",
    )


def test_every_trial_is_given_one_of_them() -> None:
    space = search_space(compose("teacher=[self,small]").search_space)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    recipes = [space.suggest(study.ask()) for _ in range(20)]
    assert {recipe.teacher for recipe in recipes} == {"self", "small"}
    assert all(space.params_of(recipe) is not None for recipe in recipes)


def test_resumed_with_a_larger_target_and_another_space() -> None:
    found = stored("teacher=[self,small]", "teachers.small.model.hidden=[5]")
    more = apply_overrides(found, ["trials_per_count=50"]).config
    assert list(more.teachers) == ["self", "small"]
    assert more.teachers["small"].model.hidden == (5,)
    other = apply_overrides(found, ["search_space=objectives"]).config
    assert choices(other) == ("self", "small"), "a space that is chosen anew goes on with the sweep's teachers"
    fewer = apply_overrides(found, [f"{SPACE}.teacher.choices=[small]"]).config
    assert choices(fewer) == ("small",)
    with pytest.raises(InputError, match=r"teacher=\[self,large\]: cannot be changed in a sweep that exists"):
        apply_overrides(found, ["teacher=[self,large]"])
    with pytest.raises(InputError, match=r"teacher.choices=large: must be one of self, small"):
        apply_overrides(found, [f"{SPACE}.teacher.choices=[small,large]"])


def test_resumed_with_another_student_self_would_be_another_teacher() -> None:
    """The reference is followed anew; that the student may not change is `check_compatible`'s to say."""
    changed = apply_overrides(stored("teacher=[self,small]"), ["student.hidden=[9]"]).config
    assert changed.teachers["self"].model.hidden == (9,)


def test_members_can_be_given_in_full() -> None:
    member = "teacher.members.wide={name:wide,model:{name:mlp,hidden:[8]},training:{epochs:2}}"
    config = compose(member, "teacher.members.wide.training.batch_size=4", "teacher.weighting=unikd")
    assert config.teacher.members["wide"].training.batch_size == 4
    assert [network.model.hidden for network, _ in config.teacher.networks()] == [(256, 256), (8,)]
    assert isinstance(config.teacher.members["wide"], TeacherConfig)


def test_a_dry_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--dry-run", "teacher=[self,small]"]) == ExitCode.DONE
    shown = capsys.readouterr()
    assert shown.err == "" and "trials" in shown.out
    assert list(folder.iterdir()) == []
