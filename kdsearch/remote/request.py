"""What is asked of the cluster: a command line for it, checked here as far as can be known from elsewhere."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import PurePosixPath
from typing import Any

from kdsearch.config.check_models import all_models
from kdsearch.config.checks import check_elsewhere
from kdsearch.config.compose import Composed
from kdsearch.config.compose import apply_overrides
from kdsearch.config.compose import compose_sweep
from kdsearch.config.locations import DEFAULT_STORAGE
from kdsearch.config.locations import PRETRAINED
from kdsearch.config.locations import is_s3
from kdsearch.config.overrides import Line
from kdsearch.config.overrides import read_lines
from kdsearch.config.overrides import split
from kdsearch.config.place import is_set
from kdsearch.config.place import place_overrides
from kdsearch.config.secrets import mask_url
from kdsearch.errors import InputError
from kdsearch.errors import Problem

_REFERENCE = re.compile(r"\$\{oc\.env:(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}")
"""A reference without a default: the variable must be there."""
_SECRET_KEY = re.compile(r"(.*[._])?(password|passwd|token|secret|api_key|access_key)", re.IGNORECASE)
_FILES = re.compile(r"dataset\.root|.*\.weights")
"""Keys that name files on the nodes."""
HERE_ONLY = ("must be writable", "must be a folder that can be created")
"""How the problems begin that only this machine has with a folder of the nodes."""


@dataclass(frozen=True)
class Request:
    """A sweep for a cluster. `words` is kdsearch's command line there, references to its environment kept."""

    sweep: str
    words: tuple[str, ...]
    targets: tuple[str, ...] = ()
    """Import paths of the user's own code."""
    stored: Mapping[str, Any] = field(default_factory=dict)
    """The configuration that these words make, in the form in which the ledger keeps it."""

    @property
    def entrypoint(self) -> str:
        """For the shell there."""
        return shlex.join(["python", "-m", "kdsearch", *self.words])


def sweep_request(overrides: Iterable[str], *, shared_storage: bool = False) -> Request:
    """`kdsearch sweep OVERRIDE…`, to be run on the cluster; `shared_storage`: its nodes all mount the folder `storage`.

    Raises:
        InputError: everything that is wrong with it.
    """
    words, lines, problems = _read(_with_place(overrides))
    problems += _place_problems(lines, DEFAULT_STORAGE, shared_storage)
    try:
        with _environment_of_the_cluster(lines):
            composed = compose_sweep(words, outside_world=False)
    except InputError as error:
        raise InputError([*problems, *error.problems]) from None
    return _request("sweep", words, lines, composed, problems)


def resume_request(name: str, overrides: Iterable[str], *, shared_storage: bool = False) -> Request:
    """`kdsearch resume NAME OVERRIDE…` there; the sweep is looked up here, in the shared ledger.

    Raises:
        InputError: everything that is wrong with it.
    """
    from kdsearch.cli.lookup import find_ledger
    from kdsearch.cli.lookup import find_sweep
    from kdsearch.cli.lookup import stored_config
    from kdsearch.config.compose import LOCATIONS

    # A ledger that is named knows the sweep's storage.
    words, lines, problems = _read(_with_place(overrides, "storage" if is_set("ledger") else ""))
    places, ledger = find_ledger([line.text for line in lines if line.key in LOCATIONS])
    record = find_sweep(ledger, name)
    ledger.close()
    stored = stored_config(record, places, words)
    with _environment_of_the_cluster(lines):
        composed = apply_overrides(stored, words, outside_world=False)
    problems += _place_problems(lines, composed.config.storage, shared_storage)
    return _request(f"resume {name}", words, lines, composed, problems)


def _with_place(overrides: Iterable[str], known: str = "") -> list[str]:
    """With the place that this machine's environment names, for keys but `known` that the overrides leave open."""
    words = list(overrides)
    return [*place_overrides({known, *(split(word)[0] for word in words)}), *words]


def _read(overrides: Iterable[str]) -> tuple[list[str], list[Line], list[Problem]]:
    """The words to send, with the cluster to join; their lines; what must not be sent."""
    words = list(overrides)
    lines, _ = read_lines(words)
    problems = list(_secrets(lines))
    if not any(line.key in ("cluster", "cluster.address") for line in lines):
        words.append("cluster=address")
    return words, lines, problems


def _request(
    command: str, words: Sequence[str], lines: list[Line], composed: Composed, problems: list[Problem]
) -> Request:
    config = composed.config
    unknown = {line.key for line in lines if _unset(line)}
    found = list(problems)
    if config.cluster.is_own:
        allowed = "must join the cluster that it is sent to: leave it out, or name its place"
        found.append(Problem("cluster", config.cluster.place, allowed))
    found += [problem for problem in check_elsewhere(config) if problem.key not in unknown and _is_there_too(problem)]
    if found:
        raise InputError(found)
    targets = [config.dataset.target, *(model.target for _, model in all_models(config))]
    own_code = tuple(target for target in targets if target is not None)
    return Request(config.name, (*command.split(), *words), own_code, composed.stored)


def _secrets(lines: Iterable[Line]) -> Iterator[Problem]:
    allowed = "must not be sent, a job's page shows it: write ${oc.env:NAME} and set NAME on the cluster"
    for line in lines:
        if mask_url(line.value) != line.value:
            yield Problem(line.key, line.value, allowed)
        elif _SECRET_KEY.fullmatch(line.key) and line.value not in ("", "null") and "${" not in line.value:
            yield Problem(line.key, "***", allowed)


def _place_problems(lines: Iterable[Line], default_storage: str, shared: bool) -> Iterator[Problem]:
    """Folders and files that the nodes would not find, or not together."""
    given = {line.key: str(line.parsed.value()) for line in lines if not line.parsed.is_delete()}
    storage = given.get("storage", default_storage)
    if not is_s3(storage) and "${" not in storage:
        if not shared:
            allowed = "must be s3://bucket/prefix; or a folder that every node mounts, with --shared-storage"
            yield Problem("storage", storage, allowed)
        elif not _is_absolute(storage):
            yield Problem("storage", storage, "must be an absolute path on the nodes")
    for key, value in given.items():
        if _FILES.fullmatch(key) and value not in ("None", PRETRAINED) and not _is_absolute(value):
            yield Problem(key, value, "must be an absolute path on the nodes: files are not sent")


def _is_absolute(path: str) -> bool:
    return PurePosixPath(path).is_absolute() or "://" in path or "${" in path


def _is_there_too(problem: Problem) -> bool:
    return not problem.allowed.startswith(HERE_ONLY)


def _unset(line: Line) -> list[str]:
    """The variables that a line refers to and that are not set on this machine."""
    return [name for name in _REFERENCE.findall(line.value) if name not in os.environ]


@contextlib.contextmanager
def _environment_of_the_cluster(lines: Iterable[Line]) -> Iterator[None]:
    """With something in place of the variables that only the cluster has."""
    names = {name for line in lines for name in _unset(line)}
    os.environ.update(dict.fromkeys(names, "known-on-the-cluster"))
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
