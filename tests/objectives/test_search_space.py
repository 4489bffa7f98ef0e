"""From the specs to what is searched: ranges, conditions, recipes, and words for what is out of range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
import yaml

from kdsearch.cli import main
from kdsearch.cli.recipe_words import read_recipe
from kdsearch.config.compose import compose_sweep
from kdsearch.errors import ExitCode
from kdsearch.objectives import SPECS
from kdsearch.objectives import ObjectiveSpec
from kdsearch.objectives import Parameter
from kdsearch.objectives import soft_loss
from kdsearch.objectives.__main__ import describe
from kdsearch.recipe import Recipe
from kdsearch.search.space import Space
from kdsearch.search.space import search_space

SPACES = Path(__file__).parents[2] / "search_spaces"
KEY = "search_space.parameters"


def space(*overrides: str) -> Space:
    return search_space(compose_sweep(list(overrides), outside_world=False).config.search_space)


def suggested(of: Space, **params: Any) -> Recipe:
    return of.suggest(optuna.trial.FixedTrial(params))  # type: ignore[arg-type]


ALL = {
    "alpha": 0.75,
    "temperature": 2.0,
    "standardize": True,
    "beta": 0.25,
    "target_weight": 0.5,
    "nontarget_weight": 4.0,
    "target_temperature": 3.0,
    "warmup": 0.25,
    "gamma": 1.0,
    "inter_weight": 2.0,
    "intra_weight": 0.5,
}


def test_parameters_of_one_name_have_one_range() -> None:
    by_name: dict[str, set[tuple[Any, ...]]] = {}
    for spec in SPECS.values():
        for p in spec.parameters:
            bounds = (p.low, p.high, p.log, p.minimum, p.maximum, p.exclusive_minimum, p.switch)
            by_name.setdefault(p.name, set()).add(bounds)
    assert all(len(ranges) == 1 for ranges in by_name.values())


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_defaults_and_ranges_are_allowed(spec: ObjectiveSpec) -> None:
    for p in spec.parameters:
        assert [p.problem(value) for value in (p.default, p.low, p.high)] == [None, None, None]
        assert p.low < p.high and (p.low > 0 or not p.log)
        assert not (p.switch and p.default)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_list_names_all_that_an_objective_takes(spec: ObjectiveSpec) -> None:
    text = describe(spec)
    assert spec.paper in text and all(p.name in text for p in spec.parameters)


def test_objectives_yaml_searches_everything() -> None:
    written = yaml.safe_load((SPACES / "objectives.yaml").read_text())["parameters"]
    assert set(written["objective"]["choices"]) == set(SPECS)
    assert set(written) == {"objective", "alpha", *(p.name for spec in SPECS.values() for p in spec.parameters)}


@pytest.mark.parametrize("name", SPECS)
def test_a_trial_is_asked_only_for_what_applies(name: str) -> None:
    recipe = suggested(space("search_space=objectives"), objective=name, **ALL)
    taken = {p.name for p in SPECS[name].parameters}
    assert recipe == Recipe(name, 0.75, {key: value for key, value in ALL.items() if key in taken})
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    assert soft_loss(name, logits, -logits, torch.tensor([0, 1, 2, 0]), **recipe.hyperparameters).shape == (4,)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("switch", [True, False])
def test_a_recipe_gives_its_parameters_back(name: str, switch: bool) -> None:
    everything = space("search_space=objectives")
    recipe = suggested(everything, objective=name, **ALL | {"standardize": switch})
    params = everything.params_of(recipe)
    assert params is not None
    assert set(params) == {"objective", "alpha", *(p.name for p in SPECS[name].parameters)}
    assert Recipe.from_params(params) == recipe == Recipe.from_dict(recipe.to_dict())


def test_the_default_space_is_kl_and_mse_alone() -> None:
    assert [d.name for d in space().dimensions] == ["objective", "alpha", "temperature"]
    assert suggested(space(), objective="kl", alpha=0.8, temperature=4.2) == Recipe("kl", 0.8, {"temperature": 4.2})


def test_a_switch_that_is_off_leaves_the_recipe_as_it_was() -> None:
    off = Recipe.from_params({"objective": "kl", "temperature": 2.0, "standardize": False})
    on = Recipe.from_params({"objective": "kl", "temperature": 2.0, "standardize": True})
    assert off == Recipe("kl", 1.0, {"temperature": 2.0})
    assert (off.label(), on.label()) == ("kl T=2 a=1.00", "kl T=2 standardize a=1.00")


def test_a_label_is_short() -> None:
    recipe = Recipe.from_params({"objective": "dkd"})
    assert recipe.label() == "dkd T=4 wt=1 wn=8 warmup=0.0833 a=1.00"


def test_a_recipe_in_words_takes_what_its_objective_takes() -> None:
    request, others, problems = read_recipe(["objective=jsd", "beta=0.2", "standardize=1", "seed=3"])
    assert (others, problems) == (["seed=3"], [])
    assert request.recipe == Recipe("jsd", 1.0, {"beta": 0.2, "temperature": 4.0, "standardize": True})
    problems = read_recipe(["objective=jsd", "beta=2", "gamma=1"])[2]
    assert [problem.key for problem in problems] == ["beta", "gamma"]


@pytest.mark.parametrize(
    ("overrides", "start", "allowed"),
    [
        ([f"{KEY}.beta.high=1.5"], f"{KEY}.beta.high=1.5: ", "must be >= 0 and <= 1"),
        ([f"{KEY}.gamma.low=-1"], f"{KEY}.gamma.low=-1.0: ", "must be >= 0"),
        ([f"{KEY}.warmup.choices=[0,2]"], f"{KEY}.warmup.choices=2: ", "must be >= 0 and <= 1"),
        ([f"{KEY}.target_temperature.low=0"], f"{KEY}.target_temperature.low=0.0: ", "must be > 0"),
        ([f"{KEY}.inter_weight.low=9"], f"{KEY}.inter_weight.low=9.0: ", "must be < high, which is 4"),
        ([f"{KEY}.standardize.choices=[1]"], f"{KEY}.standardize.choices=1: ", "must be true or false"),
        ([f"{KEY}.standardize.choices=[]"], f"{KEY}.standardize.choices=[]: ", "at least one choice"),
        ([f"{KEY}.standardize.low=0"], f"{KEY}.standardize={{low:0.0}}: ", "takes `choices` of true and false alone"),
        (
            [f"{KEY}.objective.choices=[mse,l1,kl,jsd,reverse_kl,dkd,rld,dist]"],
            f"{KEY}.gamma={{}}: ",
            "applies to none of the searched objectives",
        ),
    ],
)
def test_out_of_range_is_said_before_the_sweep_starts(
    overrides: list[str],
    start: str,
    allowed: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", "search_space=objectives", *overrides]) == ExitCode.BAD_INPUT
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"kdsearch: error: {start}")
    assert allowed in line
    assert list(tmp_path.iterdir()) == []


def test_an_open_switch_is_searched_and_a_fixed_one_is_a_single_choice() -> None:
    fixed = space("search_space=objectives", f"{KEY}.standardize.choices=[true]")
    choices = [
        next(d.distribution for d in of.dimensions if d.name == "standardize")
        for of in (space("search_space=objectives"), fixed)
    ]
    assert [d.choices for d in choices] == [(False, True), (True,)]  # type: ignore[attr-defined]


def test_a_switch_is_true_or_false() -> None:
    switch = Parameter("standardize", default=False, low=False, high=True, switch=True)
    assert [switch.problem(value) is None for value in (True, False, 1, 0, 2, 0.5)] == [True] * 4 + [False] * 2
