"""`kdsearch sweep`.

Safe to run again: a sweep that was interrupted goes on up to its target.
"""

from __future__ import annotations

import argparse

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.composed import new_config
from kdsearch.cli.start import add_start_options
from kdsearch.cli.start import start


def configure(parser: CommandParser) -> None:
    parser.add_words("[GROUP=NAME …] [KEY=VALUE …]", compose=new_config)
    add_start_options(parser)
    parser.more_help = _keys


def run(options: argparse.Namespace) -> int:
    from kdsearch.config.compose import compose_sweep

    return start(compose_sweep(options.words), options)


def _keys() -> str:
    from kdsearch.cli.keys import describe_keys

    return describe_keys()
