"""`kdsearch list`."""

from __future__ import annotations

import argparse
from collections import Counter

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.arguments import print_json
from kdsearch.cli.composed import places
from kdsearch.errors import ExitCode


def configure(parser: CommandParser) -> None:
    parser.add_words("[storage=…] [ledger=…]", compose=places)
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")


def run(options: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from kdsearch.cli.lookup import find_ledger

    _, ledger = find_ledger(options.words)
    rows = []
    for sweep in ledger.sweeps():
        states = Counter(trial.state.value for trial in ledger.trials(sweep.name))
        row = {"name": sweep.name, "state": sweep.state.value, "complete": states["COMPLETE"], "target": sweep.target}
        rows.append(row | {"created": sweep.created.isoformat(timespec="seconds")})
    if options.json:
        print_json(rows)
        return ExitCode.DONE
    table = Table("name", "state", "complete", "target", "created")
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table if rows else "no sweep yet; start one with `kdsearch sweep`")
    return ExitCode.DONE
