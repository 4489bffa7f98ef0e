"""`teacher=[self,small,large]`, `student=[mlp,cnn]`: a list from a group, for a search that chooses among its names."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig
from omegaconf import OmegaConf
from omegaconf import open_dict

from kdsearch.config.overrides import Line
from kdsearch.errors import Problem

PLURAL = {"teacher": "teachers", "student": "students"}
"""The groups that can be chosen from, and the key that holds what there is to choose from."""

SINGULAR = {several: group for group, several in PLURAL.items()}


def chosen_names(line: Line) -> list[Any]:
    """What the line chooses of its group: one name, or several."""
    choice = line.parsed.value()
    return choice if line.key in PLURAL and isinstance(choice, list) and choice else [choice]


def first_choices(choices: Iterable[Line]) -> dict[str, str]:
    """By group, the override that chooses what is the sweep's own."""
    return {line.key: f"{line.key}={chosen_names(line)[0]}" if _is_list(line) else line.text for line in choices}


def several_choices(choices: Iterable[Line]) -> dict[str, list[str]]:
    """By group, what there is to choose from; without those whose last line names one alone."""
    last = {line.key: line for line in choices}
    return {group: chosen_names(line) for group, line in last.items() if _is_list(line)}


def repeated_names(line: Line) -> Iterator[Problem]:
    """A teacher or student that is named twice."""
    names = chosen_names(line)
    if any(names.count(name) > 1 for name in names):
        yield Problem(line.key, names, f"must not name a {line.key} twice")


def partition_own(lines: Iterable[Line]) -> tuple[list[Line], list[Line]]:
    """Lines about one of several (`teachers.NAME.KEY`), and the others."""
    lines = list(lines)
    own = [line for line in lines if line.key.partition(".")[0] in SINGULAR]
    return own, [line for line in lines if line not in own]


def borrowed(line: Line, config: DictConfig, several: Mapping[str, list[str]]) -> Problem | None:
    """What is wrong with a line that sets a part of something a teacher has from elsewhere, as `self` has the student's
    network; a line about `teacher.` goes for each of `several`."""
    group, _, rest = line.key.partition(".")
    names = several.get(group, []) if rest else []
    for key in [f"{PLURAL[group]}.{name}.{rest}" for name in names] or [line.key]:
        place, source, inner = _reference(config, key)
        if source is not None:
            other = f", or {PLURAL[group]}.NAME.{rest} of another {group}" if names else ""
            return Problem(line.key, line.value, f"{place} is that of {source}; set {source}.{inner}{other}")
    return None


def add_choices(config: DictConfig, group: str, chosen: Mapping[str, DictConfig]) -> None:
    """Let the search of `config` choose among the teachers or students of `chosen`, by name, in place."""
    with open_dict(config):
        if isinstance(config[PLURAL[group]], DictConfig):
            for name, other in chosen.items():
                config[PLURAL[group]][name] = OmegaConf.to_container(other[group], resolve=False)
    search_choices(config)


def search_choices(config: DictConfig, groups: Collection[str] = tuple(PLURAL)) -> None:
    """Where the space says nothing of the teacher, it is chosen among all there are; likewise the student; in place."""
    parameters = OmegaConf.select(config, "search_space.parameters")
    if not isinstance(parameters, DictConfig):
        return
    for group, plural in ((group, PLURAL[group]) for group in groups):
        there = config.get(plural)
        if not isinstance(there, DictConfig) or not there:
            continue
        if not OmegaConf.to_container(parameters, resolve=False).get(group):  # type: ignore[union-attr]
            with open_dict(parameters):
                parameters[group] = {"choices": [str(name) for name in there]}


def without_repeats(problems: Iterable[Problem]) -> list[Problem]:
    """What is wrong with `teacher.KEY` is not told again of each teacher that has it from there."""
    problems = list(problems)
    told = {(problem.key, str(problem.value), problem.allowed) for problem in problems}
    return [problem for problem in problems if (_shared(problem.key), str(problem.value), problem.allowed) not in told]


def _shared(key: str) -> str | None:
    """`teachers.NAME.KEY` → `teacher.KEY`."""
    first, _, rest = key.partition(".")
    return f"{SINGULAR[first]}.{rest.partition('.')[2]}" if first in SINGULAR else None


def _is_list(line: Line) -> bool:
    return line.key in PLURAL and isinstance(line.parsed.value(), list)


def _reference(config: DictConfig, key: str) -> tuple[str, str | None, str]:
    """The part of `key` whose value is a reference, what it refers to, and the rest of `key`."""
    parts = key.split(".")
    node: Any = config
    for index, part in enumerate(parts[:-1]):
        if not isinstance(node, DictConfig) or part not in node:
            break
        if OmegaConf.is_interpolation(node, part):
            reference = str(OmegaConf.to_container(node, resolve=False)[part])  # type: ignore[index, call-overload]
            return ".".join(parts[: index + 1]), reference.strip("${}"), ".".join(parts[index + 1 :])
        node = node[part]
    return key, None, ""
