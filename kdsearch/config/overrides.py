"""Reading override arguments (`key=value`, Hydra's grammar) one by one, so that every wrong one is reported."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from kdsearch.errors import Problem

_OPEN = re.compile(r"search_space\.parameters\..+|(.+\.)?(arguments|members)(\..+)?")
"""Mappings whose keys the user makes up; an override may add to them without Hydra's `+`."""


@dataclass(frozen=True)
class Line:
    """One override that could be read. `text` is what Hydra gets."""

    key: str
    value: str
    text: str
    parsed: Override


def read_lines(overrides: Iterable[str]) -> tuple[list[Line], list[Problem]]:
    """The overrides that are well-formed, and what is wrong with the others."""
    parser = OverridesParser.create()
    lines, problems = [], []
    for text in overrides:
        line = _read(parser, text)
        if isinstance(line, Problem):
            problems.append(line)
        else:
            lines.append(line)
    return lines, problems


def _read(parser: OverridesParser, text: str) -> Line | Problem:
    key, value = split(text)
    try:
        [parsed] = parser.parse_overrides([text])
    except HydraException as error:
        return Problem(
            key, value, f"cannot be read as KEY=VALUE ({_reason(error)}); quote values with special characters"
        )
    if parsed.is_sweep_override():
        return Problem(
            key, value, "must be one value; write a list as [a,b], and what is searched in search_space.parameters"
        )
    if not parsed.key_or_group:
        return Problem(key, value, "must be KEY=VALUE")
    if parsed.is_hydra_override() or parsed.key_or_group == "hydra" or parsed.package is not None:
        return Problem(key, value, "unknown key; kdsearch composes with Hydra but takes no options of Hydra's own")
    is_new_in_open = _OPEN.fullmatch(parsed.key_or_group) and not (parsed.is_delete() or parsed.is_force_add())
    if is_new_in_open:
        text = "++" + text.lstrip("+")
        [parsed] = parser.parse_overrides([text])
    return Line(parsed.key_or_group, value, text, parsed)


def split(text: str) -> tuple[str, str]:
    """Key and value of one override as typed."""
    key, _, value = text.partition("=")
    return key.lstrip("+~"), value


def _reason(error: HydraException) -> str:
    """The parser's own first line."""
    return str(error).splitlines()[0].strip()
