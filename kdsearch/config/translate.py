"""pydantic's errors as one line per key, in the words of the config."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kdsearch.config.suggest import one_of
from kdsearch.config.suggest import unknown_key
from kdsearch.errors import Problem

Path = tuple[str | int, ...]

_NOUNS = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "int_parsing": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "tuple_type": "a list such as [a,b]",
    "dict_type": "a mapping such as {key: value}",
    "model_type": "a mapping such as {key: value}",
    "model_attributes_type": "a mapping such as {key: value}",
}
_BOUNDS = {
    "greater_than": ("gt", ">"),
    "greater_than_equal": ("ge", ">="),
    "less_than": ("lt", "<"),
    "less_than_equal": ("le", "<="),
}


def problems_by_path(error: ValidationError, container: Mapping[str, Any]) -> dict[Path, Problem]:
    """What is wrong with each key of `container`; the several errors of a union make one problem."""
    found: dict[Path, list[ErrorDetails]] = {}
    for details in error.errors():
        found.setdefault(_path(details, container), []).append(details)
    inner = {path: all_details for path, all_details in found.items() if not _has_longer(path, found)}
    return {path: _problem(path, all_details, container) for path, all_details in inner.items()}


def dotted(path: Path) -> str:
    """`("sample_counts", 1)` → `sample_counts[1]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def value_at(container: Any, path: Path) -> Any:
    """The value at `path`, or None where there is none."""
    for part in path:
        if not _holds(container, part):
            return None
        container = container[part]
    return container


def _path(details: ErrorDetails, container: Mapping[str, Any]) -> Path:
    """The location without pydantic's names for the members of a union."""
    node: Any = container
    path: list[str | int] = []
    for part in details["loc"]:
        if _holds(node, part):
            path.append(part)
            node = node[part]
        elif details["type"] == "missing" and part == details["loc"][-1]:
            path.append(part)
    if details["type"] == "refused":
        path.append(details["ctx"]["key"])
    return tuple(path)


def _holds(node: Any, part: str | int) -> bool:
    if isinstance(node, Mapping):
        return part in node
    return isinstance(part, int) and isinstance(node, Sequence) and not isinstance(node, str) and part < len(node)


def _has_longer(path: Path, paths: Mapping[Path, Any]) -> bool:
    return any(len(other) > len(path) and other[: len(path)] == path for other in paths)


def _problem(path: Path, all_details: list[ErrorDetails], container: Mapping[str, Any]) -> Problem:
    value = value_at(container, path)
    if all_details[0]["type"] == "extra_forbidden":
        return Problem(dotted(path), value, unknown_key(dotted(path), container))
    phrases = [_phrase(details, value) for details in all_details]
    return Problem(
        dotted(path), value, " or ".join([phrases[0], *(text.removeprefix("must be ") for text in phrases[1:])])
    )


def _phrase(details: ErrorDetails, value: Any) -> str:
    kind = details["type"]
    context = details.get("ctx", {})
    if kind in _NOUNS:
        return f"must be {_NOUNS[kind]}"
    if kind in _BOUNDS:
        name, sign = _BOUNDS[kind]
        return f"must be {sign} {context[name]:g}"
    if kind == "literal_error":
        names = context["expected"].replace(" or ", ", ").replace("'", "").split(", ")
        return f"must be {names[0]}" if len(names) == 1 else one_of(value, names)
    if kind == "missing":
        return "must be given"
    return str(context.get("error") or context.get("allowed") or details["msg"])
