"""`kdsearch status`."""

from __future__ import annotations

import argparse

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.arguments import one_name
from kdsearch.cli.arguments import print_json
from kdsearch.errors import ExitCode


def configure(parser: CommandParser) -> None:
    parser.add_words("NAME [storage=…] [ledger=…] [mlflow.tracking_uri=…]")
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")
    parser.add_argument("--verify", action="store_true", help="compare ledger and MLflow one to one")


def run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from kdsearch.cli.lookup import find_ledger
    from kdsearch.cli.lookup import find_sweep
    from kdsearch.cli.lookup import tracking_uri
    from kdsearch.report.status import render_status
    from kdsearch.report.status import status

    name, overrides = one_name(options.words)
    locations, ledger = find_ledger(overrides)
    record = find_sweep(ledger, name)
    found = status(ledger, name, tracking_uri(record, locations, overrides), verify=options.verify)
    if options.json:
        print_json(found)
    else:
        Console().print(render_status(found))
    return ExitCode.DONE
