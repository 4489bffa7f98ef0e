"""What a user can be told, and the exit codes that scripts rely on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from kdsearch.config.secrets import mask_url


class ExitCode(IntEnum):
    DONE = 0
    DISAGREEMENT = 1
    BAD_INPUT = 2
    TOO_MANY_FAILURES = 3
    DRIVER_AT_WORK = 4
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the input: which key, the value found, what is allowed."""

    key: str
    value: object
    allowed: str

    def __str__(self) -> str:
        return f"{self.key}={_shown(self.value)}: {mask_url(self.allowed)}"


def _shown(value: object) -> str:
    """As a user writes it in an override, without credentials, at most 200 characters: room for a path."""
    text = mask_url(_override_value(value))
    return text if len(text) <= 200 else text[:197] + "..."


def _override_value(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list() | tuple():
            return "[" + ",".join(_override_value(item) for item in value) + "]"
        case dict():
            return "{" + ",".join(f"{key}:{_override_value(item)}" for key, item in value.items()) + "}"
        case _:
            return str(value)


class KdsearchError(Exception):
    """An error whose message is meant for the user; `exit_code` is what the command ends with."""

    exit_code = ExitCode.BAD_INPUT


class InputError(KdsearchError):
    """Bad input: every problem found, raised before anything is written."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class DriverAtWorkError(KdsearchError):
    """Another driver holds the sweep's lease and its heartbeat advances."""

    exit_code = ExitCode.DRIVER_AT_WORK
