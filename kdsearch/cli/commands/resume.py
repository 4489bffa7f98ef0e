"""`kdsearch resume`.

Overrides that keep the finished trials valid are accepted: more trials, more sample counts, resources, time, locations.
"""

from __future__ import annotations

import argparse

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.arguments import one_name
from kdsearch.cli.start import add_start_options
from kdsearch.cli.start import print_config
from kdsearch.cli.start import start
from kdsearch.errors import InputError
from kdsearch.errors import Problem


def configure(parser: CommandParser) -> None:
    parser.add_words("NAME [KEY=VALUE …]")
    add_start_options(parser)


def run(options: argparse.Namespace) -> int:
    from kdsearch.cli.lookup import find_ledger
    from kdsearch.cli.lookup import find_sweep
    from kdsearch.cli.lookup import stored_config
    from kdsearch.config.compose import LOCATIONS
    from kdsearch.config.compose import apply_overrides
    from kdsearch.config.overrides import split

    name, overrides = one_name(options.words)
    given = {split(override)[0]: override for override in overrides}
    if "name" in given:
        raise InputError([Problem("name", split(given["name"])[1], "a sweep keeps its name")])
    locations, ledger = find_ledger([override for key, override in given.items() if key in LOCATIONS])
    record = find_sweep(ledger, name)
    ledger.close()
    stored = stored_config(record, locations, overrides)
    composed = apply_overrides(stored, overrides, outside_world=not options.cfg)
    return print_config(composed) if options.cfg else start(composed, options, extend=True)
