"""`teacher=[self,small,large]`: several choices of one group, for a search that chooses the teacher too."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig
from omegaconf import OmegaConf
from omegaconf import open_dict

from kdsearch.config.overrides import Line
from kdsearch.errors import Problem

GROUP = "teacher"


def chosen_names(line: Line) -> list[Any]:
    """What the line chooses of its group: one name, of teachers also several."""
    choice = line.parsed.value()
    return choice if line.key == GROUP and isinstance(choice, list) and choice else [choice]


def names_several(line: Line) -> bool:
    """Whether the line has a list of teachers, for the search to choose from."""
    return line.key == GROUP and isinstance(line.parsed.value(), list)


def several_names(choices: Iterable[Line]) -> list[str]:
    """The teachers to choose from; none where the last line about the teacher names one alone."""
    last = [line for line in choices if line.key == GROUP][-1:]
    return [name for line in last if names_several(line) for name in chosen_names(line)]


def repeated_names(line: Line) -> Iterator[Problem]:
    """A teacher that is named twice."""
    names = chosen_names(line)
    if any(names.count(name) > 1 for name in names):
        yield Problem(line.key, names, "must not name a teacher twice")


def partition_own(lines: Iterable[Line]) -> tuple[list[Line], list[Line]]:
    """Lines about one teacher, `teachers.NAME.KEY`, and the others."""
    lines = list(lines)
    own = [line for line in lines if line.key.startswith("teachers.")]
    return own, [line for line in lines if line not in own]


def borrowed(line: Line, config: DictConfig, names: Sequence[str] = ()) -> Problem | None:
    """What is wrong with a line that sets a part of something a teacher has from elsewhere, as `self` has the student's
    network; `names` are the teachers for which a line about `teacher.` goes."""
    keys = [line.key]
    if names and line.key.startswith(f"{GROUP}."):
        keys = [f"teachers.{name}.{line.key.removeprefix(f'{GROUP}.')}" for name in names]
    for key in keys:
        place, source, rest = _reference(config, key)
        if source is not None:
            other = f", or teachers.NAME.{key.split('.', 2)[2]} of another teacher" if names else ""
            return Problem(line.key, line.value, f"{place} is that of {source}; set {source}.{rest}{other}")
    return None


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


def add_teachers(config: DictConfig, chosen: Mapping[str, DictConfig]) -> None:
    """Let the search of `config` choose among the teachers of `chosen`, by name, in place."""
    with open_dict(config):
        if isinstance(config.teachers, DictConfig):
            for name, other in chosen.items():
                config.teachers[name] = OmegaConf.to_container(other.teacher, resolve=False)
    search_teachers(config)


def search_teachers(config: DictConfig) -> None:
    """Where the space says nothing of the teacher, it is chosen among all there are; in place."""
    parameters = OmegaConf.select(config, "search_space.parameters")
    if not isinstance(parameters, DictConfig) or not isinstance(config.teachers, DictConfig) or not config.teachers:
        return
    if not OmegaConf.to_container(parameters, resolve=False).get(GROUP):  # type: ignore[union-attr]
        with open_dict(parameters):
            parameters[GROUP] = {"choices": [str(name) for name in config.teachers]}


def without_repeats(problems: Iterable[Problem]) -> list[Problem]:
    """What is wrong with `teacher.KEY` is not told again of each teacher that has it from there."""
    problems = list(problems)
    told = {(problem.key, str(problem.value), problem.allowed) for problem in problems}
    return [problem for problem in problems if (_shared(problem.key), str(problem.value), problem.allowed) not in told]


def _shared(key: str) -> str | None:
    """`teachers.NAME.KEY` → `teacher.KEY`."""
    first, _, rest = key.partition(".")
    return f"{GROUP}.{rest.partition('.')[2]}" if first == "teachers" else None
