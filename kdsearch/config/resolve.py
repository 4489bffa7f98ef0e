"""From a composed configuration to plain values, with its references followed."""

from __future__ import annotations

from typing import Any

from omegaconf import MISSING
from omegaconf import DictConfig
from omegaconf import ListConfig
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from kdsearch.config.translate import Path
from kdsearch.config.translate import dotted
from kdsearch.errors import Problem


def raw(config: DictConfig) -> dict[str, Any]:
    container = OmegaConf.to_container(config, resolve=False)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def resolved(config: DictConfig) -> tuple[dict[str, Any], dict[Path, Problem]]:
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
