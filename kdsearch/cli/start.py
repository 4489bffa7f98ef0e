"""What `sweep` and `resume` share: `--dry-run`, and the start itself."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kdsearch.cli.arguments import CommandParser
from kdsearch.errors import ExitCode

if TYPE_CHECKING:
    from kdsearch.config.compose import Composed


def add_start_options(parser: CommandParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="print how many trials there would be, and stop")


def start(composed: Composed, options: argparse.Namespace, *, extend: bool = False) -> int:
    """Run the sweep, or say what it would be; `extend` allows more than the stored configuration asks for."""
    from rich.console import Console

    if options.dry_run:
        from kdsearch.cli.dry_run import plan_table

        Console().print(plan_table(composed.config))
        return ExitCode.DONE
    from kdsearch.search import driver

    return driver.run(composed, console=Console(), extend=extend)
