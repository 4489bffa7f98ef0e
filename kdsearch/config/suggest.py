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
    close = get_close_matches(word, list(names), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def unknown_key(key: str, container: Mapping[str, Any]) -> str:
    """`unknown key`, with the key of `container` that was probably meant, or the keys that stand beside it."""
    others = [known for known in all_keys(container) if known != key]
    meant = _closest(key, container) or _with_last_part(key, others)
    return f"unknown key; did you mean {meant}?" if meant else f"unknown key; {_beside(key, container)}"


def all_keys(container: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    """Every dotted key of a nested mapping, inner and outer."""
    for name, value in container.items():
        yield f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from all_keys(value, f"{prefix}{name}.")


def _closest(key: str, container: Mapping[str, Any]) -> str | None:
    """`key` with each part that is misspelt put right, or None where that is not possible."""
    node: Any = container
    meant: list[str] = []
    for part in key.split("."):
        names = [name for name in node if ".".join([*meant, name]) != key] if isinstance(node, Mapping) else []
        close = get_close_matches(part, names, n=1)
        if not close:
            return None
        node = node[close[0]]
        meant.append(close[0])
    return ".".join(meant)


def _with_last_part(key: str, keys: list[str]) -> str | None:
    """The keys elsewhere whose last part is that of `key`."""
    last = key.rpartition(".")[2]
    same = [known for known in keys if known.rpartition(".")[2] == last]
    return " or ".join(same[:3]) or None


def _beside(key: str, container: Mapping[str, Any]) -> str:
    node: Any = container
    path: list[str] = []
    for part in key.split(".")[:-1]:
        if not isinstance(node.get(part), Mapping):
            break
        node = node[part]
        path.append(part)
    names = [name for name in node if ".".join([*path, name]) != key]
    place = ".".join(path) or "the top level"
    return f"{place} has {', '.join(names)}" if names else f"{place} is empty"
