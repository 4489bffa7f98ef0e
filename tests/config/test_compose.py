from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from typing import get_args
from typing import get_origin

import pytest
from hydra.core.global_hydra import GlobalHydra
from pydantic import BaseModel

import kdsearch.conf
from kdsearch.config.compose import apply_overrides
from kdsearch.config.compose import compose_sweep
from kdsearch.config.compose import group_options
from kdsearch.config.compose import resolve_locations
from kdsearch.config.schema import ParameterConfig
from kdsearch.config.schema import SweepConfig
from kdsearch.config.spaces import shipped_folder
from kdsearch.errors import InputError

CONF = Path(kdsearch.conf.__file__).parent
CHOSEN = [file for file in sorted(CONF.glob("*/*.yaml")) if file.parent.name != "base"]
"""What a user chooses by GROUP=NAME; the files in base/ are only built upon."""
SHIPPED = [*CHOSEN, *sorted(shipped_folder().glob("*.yaml"))]
COMMAND = re.compile(r"kdsearch (?:sweep|teacher)(?P<overrides> .*)?$", re.MULTILINE)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_defaults(folder: Path) -> None:
    config = compose_sweep([]).config
    assert config.name == config.dataset.name == "digits"
    assert config.storage == str(folder / "kdsearch-data")
    assert config.ledger == f"sqlite:///{folder}/kdsearch-data/ledger.db"
    assert config.mlflow.tracking_uri == f"sqlite:///{folder}/kdsearch-data/mlflow.db"
    assert len(config.sample_counts) == 6
    assert config.trials_per_count >= 20
    assert config.controls == ("labels", "label_smoothing", "kl_t1")
    assert config.student.hidden == (32, 32)
    assert set(config.search_space.parameters) == {"objective", "temperature", "alpha"}
    assert list(folder.iterdir()) == []


def test_every_key_of_the_schema_has_its_default_in_the_yaml() -> None:
    """Those of a network stand in the files of the networks that take them."""
    choices = [[f"student={name}", f"teacher={name}"] for name in ("mlp", "cnn", "transformer", "torchvision")]
    keys = {key for chosen in choices for key in _keys_of_yaml(compose_sweep(chosen, outside_world=False).stored)}
    assert set(_keys_of_model(SweepConfig)) == keys


def _keys_of_model(model: type[BaseModel], prefix: str = "") -> Iterable[str]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        inner = [t for t in (field.annotation, *get_args(field.annotation)) if isinstance(t, type)]
        models = [t for t in inner if issubclass(t, BaseModel) and t is not ParameterConfig]
        if models and get_origin(field.annotation) is not dict:
            yield from _keys_of_model(models[0], f"{key}.")
        else:
            yield key


def _keys_of_yaml(container: dict[str, Any], prefix: str = "") -> Iterable[str]:
    for name, value in container.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and key != "search_space.parameters" and value:
            yield from _keys_of_yaml(value, f"{key}.")
        else:
            yield key


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_every_shipped_file_composes_by_the_command_in_its_top_comment(file: Path) -> None:
    top = "\n".join(line for line in file.read_text().splitlines() if line.startswith("#"))
    command = COMMAND.search(top)
    assert command is not None, "the top comment must hold the command that uses the file"
    overrides = shlex.split(command["overrides"] or "")
    group = "search_space" if file.parent == shipped_folder() else file.parent.name
    assert f"{group}={file.stem}" in [override.lstrip("+") for override in overrides]
    compose_sweep(overrides, outside_world=False)


def test_every_shipped_file_is_offered() -> None:
    offered = {name for options in group_options().values() for name in options}
    assert {file.stem for file in SHIPPED} <= offered


def test_a_data_set_brings_its_models_and_counts_and_the_user_overrules_them() -> None:
    config = compose_sweep(["dataset=fashion_mnist"], outside_world=False).config
    assert (config.teacher.name, config.student.name, config.name) == ("cnn", "cnn", "fashion_mnist")
    assert 600 in config.sample_counts
    chosen = ["student=mlp", "sample_counts=[100]", "name=mine", "dataset=fashion_mnist"]
    config = compose_sweep(chosen, outside_world=False).config
    assert (config.teacher.name, config.student.name, config.name) == ("cnn", "mlp", "mine")
    assert config.sample_counts == (100,)


@pytest.mark.parametrize(
    "overrides",
    [
        ["sample_counts=[400,20]", "controls=[]", "confirm.top_k=0", "name=2026"],
        ["controls=[labels,{label_smoothing:[0.05,0.1]}]"],
        ["~search_space.parameters.alpha", "search_space.parameters.learning_rate={low:0.01,high:0.1,log:true}"],
        ["search_space.parameters.temperature.low=2", "search_space.parameters.weight_decay={}"],
        ["dataset.subset=uniform", "sample_counts=[5]"],
        ["training.steps=100", "teacher.training.epochs=null", "teacher.training.steps=10"],
        ["resources.max_concurrent=1", "training.device=cpu", "time_budget=60", "max_failed_trials=null"],
        ["student._target_=kdsearch.models.mlp.mlp", "student.arguments={hidden:[4],dropout:0.1}"],
        [
            "cluster.address=auto",
            "training.device=cuda",
            "resources.gpus_per_trial=0.25",
            "resources.cpus_per_trial=999",
        ],
        ["storage=s3://bucket/x", "ledger=postgresql://host/db", "mlflow.tracking_uri=http://host:5000"],
    ],
)
def test_good_overrides(overrides: list[str], folder: Path) -> None:
    compose_sweep(overrides)
    assert list(folder.iterdir()) == []


def test_values_arrive() -> None:
    own = ["student._target_=kdsearch.models.mlp.mlp", "student.arguments={hidden:[4],dropout:0.1}"]
    config = compose_sweep(["sample_counts=[400,20]", "training.epochs=7", *own]).config
    assert config.sample_counts == (20, 400)
    assert config.student.arguments == {"hidden": [4], "dropout": 0.1}
    assert (config.training.epochs, config.training.steps) == (7, None)


def test_a_space_in_the_current_folder_is_offered_and_wins(folder: Path) -> None:
    spaces = folder / "search_spaces"
    spaces.mkdir()
    (spaces / "mine.yaml").write_text("parameters: {temperature: {low: 2, high: 3}}\n")
    (spaces / "default.yaml").write_text("parameters: {alpha: {}}\n")
    (spaces / "broken.yaml").write_text("parameters: [\n")
    config = compose_sweep(["search_space=mine", "search_space.parameters.temperature.high=4"]).config
    assert config.search_space.parameters["temperature"].high == 4
    assert set(compose_sweep([]).config.search_space.parameters) == {"alpha"}
    with pytest.raises(InputError, match="search_space=broken: .*broken.yaml cannot be read"):
        compose_sweep(["search_space=broken"])


def test_secrets_stay_references_in_what_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_PASSWORD", "hunter2")
    composed = compose_sweep(["ledger='postgresql://me:${oc.env:PG_PASSWORD}@host/db'"])
    assert composed.config.ledger == "postgresql://me:hunter2@host/db"
    assert composed.stored["ledger"] == "postgresql://me:${oc.env:PG_PASSWORD}@host/db"
    monkeypatch.setenv("PG_PASSWORD", "changed")
    assert apply_overrides(composed.stored, []).config.ledger == "postgresql://me:changed@host/db"


def test_a_literal_password_is_not_stored_and_asked_for_again() -> None:
    composed = compose_sweep(["ledger=postgresql://me:hunter2@host/db"])
    assert composed.config.ledger == "postgresql://me:hunter2@host/db"
    assert "hunter2" not in str(composed.stored)
    with pytest.raises(InputError, match="its password was not stored"):
        apply_overrides(composed.stored, [])
    again = apply_overrides(composed.stored, ["ledger=postgresql://me:hunter2@host/db"])
    assert again == composed


def test_stored_places_do_not_depend_on_the_current_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = ["storage=data", "ledger=sqlite:///l.db", "mlflow.tracking_uri=sqlite:///m.db"]
    composed = compose_sweep(overrides)
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert apply_overrides(composed.stored, []).config == composed.config
    assert composed.config.ledger == f"sqlite:///{folder}/l.db"


def test_apply_overrides() -> None:
    composed = compose_sweep(["search_space=temperature"])
    more = apply_overrides(composed.stored, ["trials_per_count=50", "sample_counts=[20,30]", "name=digits"])
    assert (more.config.trials_per_count, more.config.sample_counts) == (50, (20, 30))
    assert more.config.search_space == composed.config.search_space
    assert more.stored["trials_per_count"] == 50
    assert composed.stored["trials_per_count"] == 20
    other = apply_overrides(composed.stored, ["search_space.parameters.temperature.low=2", "search_space=default"])
    assert other.config.search_space.parameters["temperature"].low == 2
    assert set(other.config.search_space.parameters) == {"objective", "temperature", "alpha"}


def test_apply_overrides_names_all_problems() -> None:
    stored = compose_sweep([]).stored
    with pytest.raises(InputError) as caught:
        apply_overrides(
            stored, ["dataset=digits", "search_space=nothing", "sede=3", "seed=x", "sample_counts=[1000000]"]
        )
    assert [problem.key for problem in caught.value.problems] == [
        "dataset",
        "search_space",
        "sede",
        "seed",
        "sample_counts",
    ]


def test_resolve_locations(folder: Path) -> None:
    locations = resolve_locations([])
    assert locations.storage == str(folder / "kdsearch-data")
    assert locations.ledger == f"sqlite:///{folder}/kdsearch-data/ledger.db"
    locations = resolve_locations(["storage=s3://b/p", "ledger=postgresql://h/d", "mlflow.tracking_uri=http://h:5000"])
    assert locations == type(locations)("s3://b/p", "postgresql://h/d", "http://h:5000")
    with pytest.raises(InputError) as caught:
        resolve_locations(["seed=3", "storage=s3://b/p", "ledger=7"])
    assert [problem.key for problem in caught.value.problems] == ["seed", "mlflow.tracking_uri", "ledger"]


def test_a_callers_own_hydra_is_left_alone() -> None:
    from hydra import compose
    from hydra import initialize_config_module

    with initialize_config_module("kdsearch.conf", version_base="1.3"):
        mine = GlobalHydra.instance().hydra
        compose_sweep([], outside_world=False)
        assert GlobalHydra.instance().hydra is mine
        compose("config")
