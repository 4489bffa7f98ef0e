"""From override arguments to a validated configuration, through Hydra, with every problem reported at once."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hydra import compose
from hydra import initialize_config_module
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.errors import HydraException
from omegaconf import MISSING
from omegaconf import DictConfig
from omegaconf import ListConfig
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from kdsearch.config.checks import check
from kdsearch.config.locations import fill_databases
from kdsearch.config.locations import make_absolute
from kdsearch.config.overrides import Line
from kdsearch.config.overrides import read_lines
from kdsearch.config.schema import SweepConfig
from kdsearch.config.secrets import mask_url
from kdsearch.config.spaces import GROUP as SEARCH_SPACE
from kdsearch.config.spaces import register_spaces
from kdsearch.config.spaces import space_files
from kdsearch.config.suggest import all_keys
from kdsearch.config.suggest import one_of
from kdsearch.config.suggest import unknown_key
from kdsearch.config.translate import Path
from kdsearch.config.translate import dotted
from kdsearch.config.translate import problems_by_path
from kdsearch.config.translate import value_at
from kdsearch.errors import InputError
from kdsearch.errors import Problem

CONFIG = "config"
GROUPS = ("dataset", "teacher", "student", SEARCH_SPACE)
LOCATIONS = ("storage", "ledger", "mlflow.tracking_uri")


@dataclass(frozen=True)
class Composed:
    """A validated sweep: `config` for the program, `stored` for the ledger (secrets are still references in it)."""

    config: SweepConfig
    stored: dict[str, Any]


@dataclass(frozen=True)
class Locations:
    """Where a sweep's parts are, absolute."""

    storage: str
    ledger: str
    mlflow_uri: str


def compose_sweep(overrides: Iterable[str], *, outside_world: bool = True) -> Composed:
    """The configuration that `overrides` ask for.

    With `outside_world` the data, folders and devices it names are looked at too; nothing is ever written.

    Raises:
        InputError: holds every problem found.
    """
    lines, problems = read_lines(overrides)
    with hydra_session() as unreadable:
        composed, more = _compose(lines, unreadable)
        fallback = compose(CONFIG)
    return _finish(composed, fallback, [*problems, *more], outside_world)


def apply_overrides(stored: Mapping[str, Any], overrides: Iterable[str], *, outside_world: bool = True) -> Composed:
    """A stored configuration with overrides on top; of the groups only `search_space` can be chosen anew.

    Raises:
        InputError: holds every problem found.
    """
    fallback = OmegaConf.create(dict(stored))
    config = copy.deepcopy(fallback)
    OmegaConf.set_struct(config, True)
    lines, problems = read_lines(overrides)
    choices, values = _partition(lines)
    for line in choices:
        problems += _choose_space(config, line)
    for line in values:
        problems += _apply(config, line)
    return _finish(config, fallback, problems, outside_world)


def resolve_locations(overrides: Iterable[str]) -> Locations:
    """The places named by `storage=`, `ledger=` and `mlflow.tracking_uri=`, or their defaults.

    Raises:
        InputError: any other key, or a value that cannot be used.
    """
    lines, problems = read_lines(overrides)
    with hydra_session():
        config = compose(CONFIG)
    for line in lines:
        if line.key in LOCATIONS:
            problems += _apply(config, line)
        else:
            problems.append(Problem(line.key, line.value, one_of(line.key, LOCATIONS)))
    plain, unresolved = _resolved(config)
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


def _compose(lines: Sequence[Line], unreadable: Mapping[str, Problem]) -> tuple[DictConfig, list[Problem]]:
    """Compose all lines; where Hydra refuses, without the ones that are wrong."""
    problems, accepted = [], []
    choices, values = _partition(lines)
    for line in choices:
        wrong = _wrong_choice(line, unreadable)
        if wrong:
            problems.append(wrong)
        else:
            accepted.append(line.text)
    try:
        return compose(CONFIG, [*accepted, *(line.text for line in values)]), problems
    except (HydraException, OmegaConfBaseException):
        config = compose(CONFIG, accepted)
        for line in values:
            problems += _apply(config, line)
        return config, problems


def _partition(lines: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """Choices of groups, and values."""
    choices = [line for line in lines if line.key in GROUPS]
    return choices, [line for line in lines if line.key not in GROUPS]


def _wrong_choice(line: Line, unreadable: Mapping[str, Problem]) -> Problem | None:
    choice = line.parsed.value()
    if isinstance(choice, str) and choice in unreadable:
        return unreadable[choice]
    options = _options(line.key)
    if line.parsed.is_delete() or line.parsed.is_add() or not isinstance(choice, str) or choice not in options:
        return Problem(line.key, line.value, one_of(line.value, options))
    return None


def _options(group: str) -> list[str]:
    return sorted(config_loader().get_group_options(group, results_filter=ObjectType.CONFIG))


def _choose_space(config: DictConfig, line: Line) -> list[Problem]:
    if line.key != SEARCH_SPACE:
        return [
            Problem(
                line.key,
                line.value,
                f"cannot be changed in a sweep that exists; its own keys can: {line.key}.KEY=VALUE",
            )
        ]
    unreadable = register_spaces()
    choice = str(line.parsed.value())
    files = space_files()
    if choice in unreadable:
        return [unreadable[choice]]
    if choice not in files:
        return [Problem(line.key, line.value, one_of(choice, files))]
    config[SEARCH_SPACE] = OmegaConf.load(files[choice])
    return []


def _apply(config: DictConfig, line: Line) -> list[Problem]:
    """Apply one override to `config`, in place, as Hydra does (it has no public function for that)."""
    try:
        ConfigLoaderImpl._apply_overrides_to_config([line.parsed], config)
    except (HydraException, OmegaConfBaseException) as error:
        container = _raw(config)
        if line.key not in all_keys(container):
            return [Problem(line.key, line.value, unknown_key(line.key, container))]
        return [Problem(line.key, line.value, " ".join(str(error.__cause__ or error).split()))]
    return []


def _finish(composed: DictConfig, fallback: DictConfig, problems: list[Problem], outside_world: bool) -> Composed:
    """Type and check what was composed; what is wrong is replaced by `fallback` so that the rest can be looked at."""
    plain, unresolved = _resolved(composed)
    defaults, _ = _resolved(fallback)
    for container in (plain, defaults):
        make_absolute(container)
    without_server = fill_databases(plain)
    fill_databases(defaults)
    config, mistyped = _typed(plain, defaults)
    problems = [*problems, *unresolved.values(), *without_server, *mistyped]
    if config is not None and outside_world:
        known = {problem.key for problem in problems}
        problems += [problem for problem in check(config) if not _is_covered(problem.key, known)]
    if problems or config is None:
        raise InputError({str(problem): problem for problem in problems}.values())
    return Composed(config, _storable(composed))


def _typed(plain: dict[str, Any], defaults: Mapping[str, Any]) -> tuple[SweepConfig | None, list[Problem]]:
    """`plain` as a model, after putting defaults in place of the values that are reported."""
    problems: list[Problem] = []
    while True:
        try:
            return SweepConfig.model_validate(plain), problems
        except ValidationError as error:
            found = problems_by_path(error, plain)
        problems += found.values()
        if not any([_put_back(plain, defaults, path) for path in found]):
            return None, problems


def _put_back(plain: dict[str, Any], defaults: Mapping[str, Any], path: Path) -> bool:
    """Replace the value at `path`, or the list that it is in, by its default; whether that changes anything."""
    node: Any = plain
    keys = list(itertools.takewhile(lambda part: isinstance(part, str), path))
    for key in keys[:-1]:
        node = node[key]
    before = copy.copy(node)
    default = value_at(defaults, tuple(keys))
    if default is None and keys[-1] not in (value_at(defaults, tuple(keys[:-1])) or {}):
        node.pop(keys[-1], None)
    else:
        node[keys[-1]] = copy.deepcopy(default)
    return bool(before != node)


def _is_covered(key: str, known: set[str]) -> bool:
    """Whether a problem with `key`, or with a part of it, has been reported."""
    return any(
        key == other or other.startswith((f"{key}.", f"{key}[")) or key.startswith(f"{other}.") for other in known
    )


def _raw(config: DictConfig) -> dict[str, Any]:
    container = OmegaConf.to_container(config, resolve=False)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def _resolved(config: DictConfig) -> tuple[dict[str, Any], dict[Path, Problem]]:
    """The plain values, and the references that lead nowhere and the values that must be given, by path."""
    problems: dict[Path, Problem] = {}
    return _resolve_node(config, (), problems), problems


def _resolve_node(node: Any, path: Path, problems: dict[Path, Problem]) -> Any:
    if isinstance(node, DictConfig):
        return {str(key): _resolve_child(node, key, (*path, str(key)), problems) for key in node}
    if isinstance(node, ListConfig):
        return [_resolve_child(node, index, (*path, index), problems) for index in range(len(node))]
    return node


def _resolve_child(parent: Any, key: Any, path: Path, problems: dict[Path, Problem]) -> Any:
    if OmegaConf.is_missing(parent, key):
        problems[path] = Problem(dotted(path), MISSING, "must be given")
        return ""
    try:
        return _resolve_node(parent[key], path, problems)
    except OmegaConfBaseException as error:
        reference = OmegaConf.to_container(parent, resolve=False)[key]  # type: ignore[index]
        problems[path] = Problem(dotted(path), reference, _unresolved(error))
        return None


def _unresolved(error: OmegaConfBaseException) -> str:
    first_line = str(error).splitlines()[0]
    return f"leads nowhere: {first_line.rpartition('resolving interpolation: ')[2]}"


def _storable(config: DictConfig) -> dict[str, Any]:
    """The composed container with references kept, local paths absolute and literal passwords masked."""
    container = _raw(config)
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
