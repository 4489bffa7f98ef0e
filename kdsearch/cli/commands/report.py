"""`kdsearch report`.

Writes report.html, report.json, trials.csv, trials.parquet and plots/*.png, and prints where; by default into the
sweep's folder in the storage.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.arguments import one_name
from kdsearch.cli.composed import named_config
from kdsearch.errors import ExitCode


def configure(parser: CommandParser) -> None:
    parser.add_words("NAME [storage=…] [ledger=…]", compose=named_config)
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder to write to")


def run(options: argparse.Namespace) -> int:
    from kdsearch.cli.lookup import current_storage
    from kdsearch.cli.lookup import find_ledger
    from kdsearch.cli.lookup import find_sweep
    from kdsearch.config.locations import is_s3
    from kdsearch.report.write import report_files
    from kdsearch.report.write import write_report

    name, overrides = one_name(options.words)
    locations, ledger = find_ledger(overrides)
    record = find_sweep(ledger, name)
    storage = current_storage(record, locations, overrides)
    inside = Path(f"report-{name}") if is_s3(storage) else Path(storage, "sweeps", name, "report")
    page = write_report(record, ledger.trials(name), options.output or inside)
    for file in report_files(page.parent):
        print(file)
    return ExitCode.DONE
