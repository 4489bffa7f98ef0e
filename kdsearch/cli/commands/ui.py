"""`kdsearch ui`.

Serves MLflow on this machine only (127.0.0.1) until Ctrl-C, and opens it where the sweep's charts are; a server that
serves the same database already, here or elsewhere, is just opened.
"""

from __future__ import annotations

import argparse

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.arguments import at_most_one_name
from kdsearch.cli.composed import places


def configure(parser: CommandParser) -> None:
    parser.add_words("[NAME] [storage=…] [ledger=…] [mlflow.tracking_uri=…]", compose=places)
    parser.add_argument("--port", type=int, help="port to serve on; the first free one from 5000 up when left out")
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on; others than 127.0.0.1 are refused")
    parser.add_argument(
        "--allow-network", action="store_true", help="let --host be one that other machines reach; there is no password"
    )
    parser.add_argument("--no-open", "--no-browser", action="store_true", help="print the address only")


def run(options: argparse.Namespace) -> int:
    from kdsearch.cli.lookup import find_ledger
    from kdsearch.cli.lookup import find_sweep
    from kdsearch.cli.lookup import tracking_uri
    from kdsearch.config.compose import resolve_locations
    from kdsearch.tracking.ui import Place
    from kdsearch.tracking.ui import show

    name, overrides = at_most_one_name(options.words)
    place = Place(options.port, options.host, options.allow_network)
    if name is None:
        return show(resolve_locations(overrides).mlflow_uri, None, place, open_browser=not options.no_open)
    locations, ledger = find_ledger(overrides)
    record = find_sweep(ledger, name)
    ledger.close()
    uri = tracking_uri(record, locations, overrides)
    return show(uri, record, place, open_browser=not options.no_open)
