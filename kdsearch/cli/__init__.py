"""The command line: one module per command, imported only when it is asked for, so that `--help` stays quick."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

from kdsearch import __version__
from kdsearch.config.secrets import mask_url
from kdsearch.config.suggest import did_you_mean
from kdsearch.errors import ExitCode
from kdsearch.errors import KdsearchError

COMMANDS = {
    "sweep": "start a sweep, or go on with it up to its target",
    "resume": "go on with a sweep from its stored configuration",
    "submit": "send a sweep to a Ray cluster, and follow it",
    "plan": "say what a sweep would cost, and when it would end",
    "status": "trials by state, the best of each sample count",
    "report": "write the report of a sweep",
    "list": "the sweeps in a ledger",
    "ui": "open MLflow's pages of a sweep",
    "export": "write the best student of each sample count to files",
    "embedding": "draw what teacher and students make of the samples",
    "stop": "ask a running sweep to stop, resumable",
    "teacher": "train a teacher, or look up the one that is stored",
    "distill": "train one student with one recipe",
    "doctor": "check that everything a sweep needs is there",
    "completion": "print the script that completes commands and overrides in a shell",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # Users name their own code by import path; it lies where they are, as with `python -m`.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    match arguments:
        case [] | ["-h" | "--help", *_]:
            print(_overview())
            return ExitCode.DONE if arguments else ExitCode.BAD_INPUT
        case ["--version", *_]:
            print(f"kdsearch {__version__}")
            return ExitCode.DONE
        case [command, *rest] if command in COMMANDS:
            return _run(command, rest)
        case [command, *_]:
            _complain(f"{command}: must be one of {', '.join(COMMANDS)}{did_you_mean(command, COMMANDS)}")
    return ExitCode.BAD_INPUT


def _run(command: str, arguments: Sequence[str]) -> int:
    from kdsearch.cli.arguments import CommandParser

    module = importlib.import_module(f"kdsearch.cli.commands.{command}")
    parser = CommandParser(command, COMMANDS[command], module.__doc__ or "")
    module.configure(parser)
    options = parser.parse_intermixed_args(arguments)
    try:
        if parser.compose is not None and options.cfg:
            from kdsearch.cli.composed import print_config

            print_config(parser.compose(options))
            return ExitCode.DONE
        return int(module.run(options))
    except KdsearchError as error:
        _complain(*str(error).splitlines())
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`kdsearch list | head`); nothing more can be said, not even at exit.
        sys.stdout = None
        return ExitCode.DONE
    except Exception:
        print(mask_url(traceback.format_exc()), file=sys.stderr, end="")
        return 1


def _complain(*messages: str) -> None:
    for message in messages:
        print(f"kdsearch: error: {mask_url(message)}", file=sys.stderr)


def _overview() -> str:
    width = max(map(len, COMMANDS))
    return "\n".join(
        [
            "usage: kdsearch COMMAND [NAME] [KEY=VALUE …]",
            "",
            "Finds, for each amount of training data, the distillation recipe that makes a student best.",
            "",
            "commands:",
            *(f"  {name:{width}}  {summary}" for name, summary in COMMANDS.items()),
            "",
            "Start with `kdsearch sweep`. `kdsearch COMMAND --help` says more, `kdsearch sweep --help` lists all keys.",
            "Every command takes storage=, ledger= and mlflow.tracking_uri=; else KDSEARCH_STORAGE, KDSEARCH_LEDGER,",
            "and KDSEARCH_MLFLOW say where sweeps are kept, which cluster/environment sets.",
        ]
    )
