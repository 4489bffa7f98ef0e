"""What the commands' arguments have in common: options anywhere, a NAME, and `key=value` overrides."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import NoReturn

from kdsearch.errors import ExitCode
from kdsearch.errors import InputError
from kdsearch.errors import Problem


class CommandParser(argparse.ArgumentParser):
    """The parser of one command. Positional arguments, a NAME and overrides in any order, end up in `words`."""

    def __init__(self, command: str, summary: str, details: str) -> None:
        more = details.strip().partition("\n\n")[2]
        description = "\n\n".join(part for part in (summary[0].upper() + summary[1:] + ".", more) if part)
        formatter = argparse.RawDescriptionHelpFormatter
        super().__init__(f"kdsearch {command}", description=description, formatter_class=formatter, allow_abbrev=False)
        self.more_help: Callable[[], str] | None = None
        """Called for the end of `--help` when that is asked for."""
        self.compose: Callable[[argparse.Namespace], Mapping[str, Any]] | None = None
        """Makes the configuration that `--cfg job` prints."""

    def add_words(self, metavar: str, compose: Callable[[argparse.Namespace], Mapping[str, Any]]) -> None:
        """Take positional arguments, shown in the usage as `metavar`; `compose` makes a configuration of them."""
        self.add_argument("words", nargs="*", metavar=metavar, help=argparse.SUPPRESS)
        self.add_argument("--cfg", choices=["job"], help="print the configuration that would be used, and stop")
        self.compose = compose
        self.usage = f"{self.prog} [OPTION …] {metavar}"

    def format_help(self) -> str:
        self.epilog = self.more_help() if self.more_help else None
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        self.exit(ExitCode.BAD_INPUT, f"kdsearch: error: {message} (see {self.prog} --help)\n")


def split_words(words: Iterable[str]) -> tuple[list[str], list[str]]:
    """Names and overrides (`key=value`, `+key=value`, `~key`)."""
    names: list[str] = []
    overrides: list[str] = []
    for word in words:
        (overrides if "=" in word or word.startswith(("+", "~")) else names).append(word)
    return names, overrides


def one_name(words: Iterable[str]) -> tuple[str, list[str]]:
    """The NAME that a command needs, and the overrides.

    Raises:
        InputError: no name, or more than one.
    """
    names, overrides = split_words(words)
    if len(names) != 1:
        raise InputError([Problem("NAME", " ".join(names), "one sweep must be named; `kdsearch list` shows them")])
    return names[0], overrides


def at_most_one_name(words: Iterable[str]) -> tuple[str | None, list[str]]:
    """The NAME if there is one, and the overrides."""
    names, overrides = split_words(words)
    if len(names) > 1:
        raise InputError([Problem("NAME", " ".join(names), "at most one sweep can be named")])
    return (names[0] if names else None), overrides


def print_json(value: Any) -> None:
    import json

    print(json.dumps(value, indent=2))
