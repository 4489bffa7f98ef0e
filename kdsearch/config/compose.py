"""From override arguments to a validated configuration, through Hydra, with every problem reported at once."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from hydra import compose
from hydra import initialize_config_module
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from kdsearch.config.checks import check
from kdsearch.config.locations import fill_databases
from kdsearch.config.locations import make_absolute
from kdsearch.config.overrides import Line
from kdsearch.config.overrides import read_lines
from kdsearch.config.overrides import split
from kdsearch.config.place import place_overrides
from kdsearch.config.presets import GROUP as PRESET
from kdsearch.config.presets import added
from kdsearch.config.presets import partition_orphans
from kdsearch.config.presets import settle
from kdsearch.config.resolve import raw
from kdsearch.config.resolve import resolved
from kdsearch.config.schema import SweepConfig
from kdsearch.config.secrets import mask_url
from kdsearch.config.several import PLURAL
from kdsearch.config.several import add_choices
from kdsearch.config.several import borrowed
from kdsearch.config.several import chosen_names
from kdsearch.config.several import first_choices
from kdsearch.config.several import partition_own
from kdsearch.config.several import repeated_names
from kdsearch.config.several import search_choices
from kdsearch.config.several import several_choices
from kdsearch.config.several import without_repeats
from kdsearch.config.spaces import GROUP as SEARCH_SPACE
from kdsearch.config.spaces import register_spaces
from kdsearch.config.spaces import space_files
from kdsearch.config.suggest import all_keys
from kdsearch.config.suggest import one_of
from kdsearch.config.suggest import unknown_key
from kdsearch.config.translate import dotted
from kdsearch.config.typed import is_covered
from kdsearch.config.typed import typed
from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from kdsearch.data import DatasetInfo

CONFIG = "config"
CLUSTER = "cluster"
GROUPS = ("dataset", "teacher", "student", SEARCH_SPACE, CLUSTER, PRESET)
LOCATIONS = ("storage", "ledger", "mlflow.tracking_uri")


@dataclass(frozen=True)
class Composed:
    """A validated sweep: `config` for the program, `stored` for the ledger (secrets are still references in it)."""

    config: SweepConfig
    stored: dict[str, Any]
    data: DatasetInfo | None = None
    """What its data are, where the outside world was looked at."""


@dataclass(frozen=True)
class Locations:
    """Where a sweep's parts are, absolute."""

    storage: str
    ledger: str
    mlflow_uri: str


def compose_sweep(overrides: Iterable[str], *, outside_world: bool = True) -> Composed:
    """The configuration that `overrides` ask for.

    Where sweeps are kept is what the environment says (`kdsearch.config.place`) unless they say it. With
    `outside_world` the data, folders and devices it names are looked at too; nothing is ever written.

    Raises:
        InputError: holds every problem found.
    """
    lines, problems = _read_with_place(overrides)
    with hydra_session() as unreadable:
        composed, fallback, more = _compose(lines, unreadable)
    return _finish(composed, fallback, [*problems, *more], outside_world)


def apply_overrides(stored: Mapping[str, Any], overrides: Iterable[str], *, outside_world: bool = True) -> Composed:
    """A stored configuration with overrides on top; of the groups only `search_space` and `cluster` can be chosen anew.

    Raises:
        InputError: holds every problem found.
    """
    fallback = OmegaConf.create(dict(stored))
    config = copy.deepcopy(fallback)
    OmegaConf.set_struct(config, True)
    lines, problems = read_lines(overrides)
    choices, values = _partition(lines)
    for line in choices:
        problems += _choose_again(config, line)
    for line in values:
        problems += _apply(config, line)
    return _finish(config, fallback, problems, outside_world)


def resolve_locations(overrides: Iterable[str]) -> Locations:
    """The places named by `storage=`, `ledger=` and `mlflow.tracking_uri=`, else by the environment, or their defaults.

    Raises:
        InputError: any other key, or a value that cannot be used.
    """
    config, problems = _located(overrides)
    plain, unresolved = resolved(config)
    problems += [problem for path, problem in unresolved.items() if dotted(path) in LOCATIONS]
    make_absolute(plain)
    problems += fill_databases(plain)
    values = (plain["storage"], plain["ledger"], plain["mlflow"]["tracking_uri"])
    problems += [
        Problem(key, v, "must be text") for key, v in zip(LOCATIONS, values, strict=True) if not isinstance(v, str)
    ]
    if problems:
        raise InputError(problems)
    return Locations(*values)


def stored_locations(overrides: Iterable[str]) -> dict[str, Any]:
    """The places as they are given, in the form that is stored: a null follows from `storage`.

    Raises:
        InputError: any other key, or a value that cannot be used.
    """
    config, problems = _located(overrides)
    if problems:
        raise InputError(problems)
    stored = _storable(config)
    places = {"storage": stored["storage"], "ledger": stored["ledger"]}
    return places | {"mlflow": {"tracking_uri": stored["mlflow"]["tracking_uri"]}}


def _located(overrides: Iterable[str]) -> tuple[DictConfig, list[Problem]]:
    """The default configuration with the places that `overrides` name."""
    lines, problems = _read_with_place(overrides)
    with hydra_session():
        config = compose(CONFIG)
    for line in lines:
        if line.key in LOCATIONS:
            problems += _apply(config, line)
        else:
            problems.append(Problem(line.key, line.value, one_of(line.key, LOCATIONS)))
    return config, problems


def group_options() -> dict[str, list[str]]:
    """The groups and the names that each can be set to."""
    with hydra_session():
        return {group: _options(group) for group in GROUPS}


@contextmanager
def hydra_session() -> Iterator[dict[str, Problem]]:
    """Hydra, ready to compose kdsearch's configuration; a caller's own Hydra is put back afterwards.

    Gives the search spaces that cannot be read.
    """
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        unreadable = register_spaces()
        with initialize_config_module("kdsearch.conf", job_name="kdsearch", version_base="1.3"):
            yield unreadable
    finally:
        GlobalHydra.instance().hydra = outer


def config_loader() -> ConfigLoader:
    """The loader of the session that is open."""
    return GlobalHydra.instance().config_loader()


def _read_with_place(overrides: Iterable[str]) -> tuple[list[Line], list[Problem]]:
    """`read_lines`, after what the environment says of keys that the overrides leave open."""
    overrides = list(overrides)
    return read_lines([*place_overrides({split(override)[0] for override in overrides}), *overrides])


def _compose(lines: Sequence[Line], unreadable: Mapping[str, Problem]) -> tuple[DictConfig, DictConfig, list[Problem]]:
    """Compose all lines; where Hydra refuses, without the ones that are wrong. Gives the fallback, too."""
    choices, values = _partition(lines)
    problems = [wrong for line in choices for wrong in _wrong_choice(line, unreadable)]
    wrong_keys = {problem.key for problem in problems}
    right = [line for line in choices if line.key not in wrong_keys]
    if PRESET not in {line.key for line in right}:
        values, orphaned = partition_orphans(values)
        problems += orphaned
    return _compose_choices(first_choices(right), several_choices(right), values, problems)


def _compose_choices(
    first: Mapping[str, str], several: Mapping[str, list[str]], values: Sequence[Line], problems: list[Problem]
) -> tuple[DictConfig, DictConfig, list[Problem]]:
    """Of `teacher=[a,b]` the first is the sweep's own, and the search chooses among all of them.

    What is set under `teacher.` goes for each of them, and what is set under `teachers.NAME.` for that one.
    """

    def with_each(config: DictConfig, lines: Sequence[Line]) -> DictConfig:
        for group, names in several.items():
            chosen = {name: list({**first, group: f"{group}={name}"}.values()) for name in names}
            add_choices(config, group, {name: _compose_one(c, lines, [])[0] for name, c in chosen.items()})
        return config

    found = with_each(compose(CONFIG, list(first.values())), [])
    wrong = [(line, borrowed(line, found, several)) for line in values]
    own, shared = partition_own(line for line, problem in wrong if problem is None)
    problems = [*problems, *(problem for _, problem in wrong if problem is not None)]
    config, problems = _compose_one(list(first.values()), shared, problems)
    with_each(config, shared)
    problems = [*problems, *settle(config)]
    fallback = with_each(compose(CONFIG), [])
    return config, fallback, problems + [problem for line in own for problem in _apply(config, line)]


def _compose_one(
    accepted: list[str], values: Sequence[Line], problems: list[Problem]
) -> tuple[DictConfig, list[Problem]]:
    try:
        return compose(CONFIG, [*accepted, *(line.text for line in values)]), problems
    except (HydraException, OmegaConfBaseException):
        config = compose(CONFIG, accepted)
        return config, problems + [problem for line in values for problem in _apply(config, line)]


def _partition(lines: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """Choices of groups, and values."""
    choices = [added(line) for line in lines if line.key in GROUPS]
    return choices, [line for line in lines if line.key not in GROUPS]


def _wrong_choice(line: Line, unreadable: Mapping[str, Problem]) -> Iterator[Problem]:
    options = _options(line.key)
    if line.parsed.is_delete() or (line.parsed.is_add() and line.key != PRESET):
        yield Problem(line.key, line.value, one_of(line.value, options))
        return
    for name in chosen_names(line):
        if isinstance(name, str) and name in unreadable:
            yield unreadable[name]
        elif not isinstance(name, str) or name not in options:
            yield Problem(line.key, name, one_of(name, options))
    yield from repeated_names(line)


def _options(group: str) -> list[str]:
    return sorted(config_loader().get_group_options(group, results_filter=ObjectType.CONFIG))


def _choose_again(config: DictConfig, line: Line) -> list[Problem]:
    match line.key:
        case "search_space":
            return _choose_space(config, line)
        case "cluster":
            return _choose_cluster(config, line)
    allowed = f"cannot be changed in a sweep that exists; its own keys can: {line.key}.KEY=VALUE"
    return [Problem(line.key, line.value, allowed)]


def _choose_cluster(config: DictConfig, line: Line) -> list[Problem]:
    with hydra_session() as unreadable:
        problems = list(_wrong_choice(line, unreadable))
        if not problems:
            config[CLUSTER] = compose(CONFIG, [line.text])[CLUSTER]
    return problems


def _choose_space(config: DictConfig, line: Line) -> list[Problem]:
    unreadable = register_spaces()
    choice = str(line.parsed.value())
    files = space_files()
    if choice in unreadable:
        return [unreadable[choice]]
    if choice not in files:
        return [Problem(line.key, line.value, one_of(choice, files))]
    searched = list(OmegaConf.select(config, "search_space.parameters") or ())
    config[SEARCH_SPACE] = OmegaConf.load(files[choice])
    search_choices(config, [group for group in PLURAL if group in searched])
    return []


def _apply(config: DictConfig, line: Line) -> list[Problem]:
    """Apply one override to `config`, in place, as Hydra does (it has no public function for that)."""
    try:
        ConfigLoaderImpl._apply_overrides_to_config([line.parsed], config)
    except (HydraException, OmegaConfBaseException) as error:
        container = raw(config)
        if line.key not in all_keys(container):
            return [Problem(line.key, line.value, unknown_key(line.key, container))]
        return [Problem(line.key, line.value, " ".join(str(error.__cause__ or error).split()))]
    return []


def _finish(composed: DictConfig, fallback: DictConfig, problems: list[Problem], outside_world: bool) -> Composed:
    """Type and check what was composed; what is wrong is replaced by `fallback` so that the rest can be looked at."""
    plain, unresolved = resolved(composed)
    defaults, _ = resolved(fallback)
    for container in (plain, defaults):
        make_absolute(container)
    without_server = fill_databases(plain)
    fill_databases(defaults)
    config, mistyped = typed(plain, defaults)
    problems = [*problems, *unresolved.values(), *without_server, *mistyped]
    checked = None
    if config is not None and outside_world:
        known = {problem.key for problem in problems}
        checked = check(config)
        problems += [problem for problem in checked.problems if not is_covered(problem.key, known)]
    if problems or config is None:
        raise InputError(without_repeats({str(problem): problem for problem in problems}.values()))
    return Composed(config, _storable(composed), checked.data if checked is not None else None)


def _storable(config: DictConfig) -> dict[str, Any]:
    """The composed container with references kept, local paths absolute and literal passwords masked."""
    container = raw(config)
    make_absolute(container)
    masked = _masked(container)
    assert isinstance(masked, dict)
    return masked


def _masked(value: Any) -> Any:
    match value:
        case str():
            return mask_url(value)
        case dict():
            return {key: _masked(item) for key, item in value.items()}
        case list():
            return [_masked(item) for item in value]
        case _:
            return value
