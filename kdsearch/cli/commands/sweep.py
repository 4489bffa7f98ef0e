"""`kdsearch sweep`.

Safe to run again: a sweep that was interrupted goes on up to its target.
"""

from __future__ import annotations

import argparse

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.start import add_start_options
from kdsearch.cli.start import print_config
from kdsearch.cli.start import start


def configure(parser: CommandParser) -> None:
    parser.add_words("[GROUP=NAME …] [KEY=VALUE …]")
    add_start_options(parser)
    parser.more_help = _keys


def run(options: argparse.Namespace) -> int:
    from kdsearch.config.compose import compose_sweep

    composed = compose_sweep(options.words, outside_world=not options.cfg)
    return print_config(composed) if options.cfg else start(composed, options)


def _keys() -> str:
    from kdsearch.cli.keys import describe_keys

    return describe_keys()
