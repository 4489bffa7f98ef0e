"""`kdsearch resume`.

Overrides that keep the finished trials valid are accepted: more trials, more sample counts, resources, time, locations.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.arguments import one_name
from kdsearch.cli.composed import stored_sweep
from kdsearch.cli.start import add_start_options
from kdsearch.cli.start import start


def configure(parser: CommandParser) -> None:
    parser.add_words("NAME [KEY=VALUE …]", compose=_config)
    add_start_options(parser)


def run(options: argparse.Namespace) -> int:
    composed = stored_sweep(*one_name(options.words), outside_world=True)
    return start(composed, options, extend=True)


def _config(options: argparse.Namespace) -> Mapping[str, Any]:
    return stored_sweep(*one_name(options.words)).stored
