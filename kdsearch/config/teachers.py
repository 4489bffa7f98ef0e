"""`teacher=[self,small,large]`: several choices of one group, for a search that chooses the teacher too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from omegaconf import DictConfig
from omegaconf import OmegaConf
from omegaconf import open_dict

from kdsearch.config.overrides import Line


def chosen_names(line: Line) -> list[Any]:
    """What the line chooses of its group: one name, of teachers also several."""
    choice = line.parsed.value()
    return choice if line.key == "teacher" and isinstance(choice, list) and choice else [choice]


def names_several(line: Line) -> bool:
    """Whether the line has a list of teachers, for the search to choose from."""
    return line.key == "teacher" and isinstance(line.parsed.value(), list)


def partition_own(lines: Iterable[Line]) -> tuple[list[Line], list[Line]]:
    """Lines about one teacher, `teachers.NAME.KEY`, and the others."""
    lines = list(lines)
    own = [line for line in lines if line.key.startswith("teachers.")]
    return own, [line for line in lines if line not in own]


def add_teacher(config: DictConfig, name: str, chosen: DictConfig) -> None:
    """Make the teacher of `chosen` one that the search of `config` chooses from, in place."""
    with open_dict(config):
        config.teachers[name] = OmegaConf.to_container(chosen.teacher, resolve=False)
        parameters = config.search_space.parameters
        if "teacher" not in parameters:
            parameters.teacher = {"choices": []}
        if name not in parameters.teacher.choices:
            parameters.teacher.choices.append(name)
