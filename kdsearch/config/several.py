"""`teacher=[self,small,large]`, `student=[mlp,cnn]`: a list from a group, for a search that chooses among its names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from omegaconf import DictConfig
from omegaconf import OmegaConf
from omegaconf import open_dict

from kdsearch.config.overrides import Line

PLURAL = {"teacher": "teachers", "student": "students"}
"""The groups that can be chosen from, and the key that holds what there is to choose from."""


def chosen_names(line: Line) -> list[Any]:
    """What the line chooses of its group: one name, or several."""
    choice = line.parsed.value()
    return choice if line.key in PLURAL and isinstance(choice, list) and choice else [choice]


def names_several(line: Line) -> bool:
    """Whether the line has a list, for the search to choose from."""
    return line.key in PLURAL and isinstance(line.parsed.value(), list)


def partition_own(lines: Iterable[Line]) -> tuple[list[Line], list[Line]]:
    """Lines about one of several (`teachers.NAME.KEY`), and the others."""
    lines = list(lines)
    own = [line for line in lines if line.key.partition(".")[0] in PLURAL.values()]
    return own, [line for line in lines if line not in own]


def add_choice(config: DictConfig, group: str, name: str, chosen: DictConfig) -> None:
    """Make the `group` of `chosen` one that the search of `config` chooses from, in place."""
    with open_dict(config):
        config[PLURAL[group]][name] = OmegaConf.to_container(chosen[group], resolve=False)
        parameters = config.search_space.parameters
        if group not in parameters:
            parameters[group] = {"choices": []}
        if name not in parameters[group].choices:
            parameters[group].choices.append(name)
