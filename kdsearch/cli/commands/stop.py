"""`kdsearch stop`.

The driver notices within seconds and ends as if interrupted; `kdsearch resume NAME` goes on.
"""

from __future__ import annotations

import argparse

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.arguments import one_name
from kdsearch.cli.composed import named_config
from kdsearch.errors import ExitCode


def configure(parser: CommandParser) -> None:
    parser.add_words("NAME [storage=…] [ledger=…]", compose=named_config)


def run(options: argparse.Namespace) -> int:
    from kdsearch.cli.lookup import find_ledger
    from kdsearch.cli.lookup import find_sweep
    from kdsearch.ledger.records import SweepState

    name, overrides = one_name(options.words)
    _, ledger = find_ledger(overrides)
    state = find_sweep(ledger, name).state
    if state is not SweepState.RUNNING:
        print(f"{name} is not running: {state.value}")
        return ExitCode.DONE
    ledger.request_stop(name)
    print(f"{name} was asked to stop; go on with: kdsearch resume {name}")
    return ExitCode.DONE
