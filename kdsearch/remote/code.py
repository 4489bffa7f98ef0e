"""The user's own code that a sweep needs on other machines: the modules it names, and what they import beside them."""

from __future__ import annotations

import ast
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

from kdsearch.config.spaces import GROUP as SEARCH_SPACES
from kdsearch.errors import InputError
from kdsearch.errors import Problem

SUFFIXES = (".py", ".yaml", ".yml", ".json", ".toml", ".txt")
"""What is taken from a package besides its modules; everything else is data."""
LEFT_OUT = ("__pycache__", "node_modules", "site-packages")
MEGABYTE = 1024 * 1024
LIMIT = 10 * MEGABYTE


def user_files(targets: Iterable[str], folder: Path) -> dict[str, Path]:
    """The files to send, by their place in the folder there: code of `targets` (import paths), and `search_spaces/`.

    Modules that are installed (site-packages) must be installed there too and are not sent.

    Raises:
        InputError: they are larger than `LIMIT` bytes together.
    """
    files = {f"{SEARCH_SPACES}s/{file.name}": file for file in sorted((folder / f"{SEARCH_SPACES}s").glob("*.yaml"))}
    for name in _local_modules(target.partition(".")[0] for target in targets):
        files |= _files_of(_spec(name))
    _check_size(files)
    return files


def _local_modules(names: Iterable[str]) -> list[str]:
    """The top-level modules that are the user's own, with those that they import."""
    found: list[str] = []
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        spec = _spec(name)
        if name in found or name == "kdsearch" or spec is None or not _is_own(spec):
            continue
        found.append(name)
        for file in _files_of(spec).values():
            if file.suffix == ".py":
                waiting += _imported(file)
    return found


def _spec(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


def _is_own(spec: ModuleSpec) -> bool:
    if spec.name in sys.stdlib_module_names:
        return False
    installed = [Path(path).resolve() for path in sysconfig.get_paths().values()]
    return all(
        not any(place.is_relative_to(path) for path in installed) and "site-packages" not in place.parts
        for place in _places(spec)
    )


def _places(spec: ModuleSpec) -> list[Path]:
    """The file of a module, or the folders of a package."""
    if spec.submodule_search_locations is not None:
        return [Path(place).resolve() for place in spec.submodule_search_locations]
    return [Path(spec.origin).resolve()] if spec.has_location and spec.origin else []


def _files_of(spec: ModuleSpec | None) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for place in _places(spec) if spec is not None else ():
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            inside = file.relative_to(place.parent)
            if file.is_file() and file.suffix in SUFFIXES and not any(_is_left_out(part) for part in inside.parts):
                files[inside.as_posix()] = file
    return files


def _is_left_out(part: str) -> bool:
    return part.startswith(".") or part in LEFT_OUT


def _imported(file: Path) -> Iterator[str]:
    """The top-level modules that a file imports; none where it cannot be read as Python."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def _check_size(files: dict[str, Path]) -> None:
    sizes = {name: file.stat().st_size for name, file in files.items()}
    if sum(sizes.values()) > LIMIT:
        largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
        shown = ", ".join(f"{name} ({sizes[name] / MEGABYTE:.1f} MB)" for name in largest)
        allowed = f"must be at most {LIMIT / MEGABYTE:.0f} MB, without data; the largest files are {shown}"
        raise InputError([Problem("code to send", f"{sum(sizes.values()) / MEGABYTE:.1f} MB", allowed)])
