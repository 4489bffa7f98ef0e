"""Wording shared by the messages about wrong input."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any


def one_of(value: object, allowed: Iterable[str]) -> str:
    """`must be one of a, b, c`, with the closest one where there is one."""
    names = list(allowed)
    return f"must be one of {', '.join(names)}{did_you_mean(str(value), names)}"


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """`; did you mean NAME?`, or nothing."""
    close = get_close_matches(word, list(names), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def unknown_key(key: str, container: Mapping[str, Any]) -> str:
    """`unknown key`, with the closest key of `container` or the keys that stand beside it."""
    keys = [known for known in all_keys(container) if known != key]
    hint = did_you_mean(key, keys) or _same_last_part(key, keys)
    return f"unknown key{hint}" if hint else f"unknown key; {_beside(key, container)}"


def all_keys(container: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    """Every dotted key of a nested mapping, inner and outer."""
    for name, value in container.items():
        yield f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from all_keys(value, f"{prefix}{name}.")


def _same_last_part(key: str, keys: list[str]) -> str:
    last = key.rpartition(".")[2]
    same = [known for known in keys if known.rpartition(".")[2] == last]
    return f"; did you mean {' or '.join(same[:3])}?" if same else ""


def _beside(key: str, container: Mapping[str, Any]) -> str:
    node: Any = container
    path = []
    for part in key.split(".")[:-1]:
        if not isinstance(node, Mapping) or not isinstance(node.get(part), Mapping):
            break
        node = node[part]
        path.append(part)
    names = [name for name in node if ".".join([*path, name]) != key]
    return f"{'.'.join(path) or 'the top level'} has {', '.join(names)}"
