"""`kdsearch teacher`.

A teacher is kept in the storage and reused by every sweep with the same data, teacher and seed.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.arguments import print_json
from kdsearch.cli.composed import new_config
from kdsearch.errors import ExitCode

if TYPE_CHECKING:
    from kdsearch.teacher import Teacher


def configure(parser: CommandParser) -> None:
    parser.add_words("[GROUP=NAME …] [KEY=VALUE …]", compose=new_config)
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")


def run(options: argparse.Namespace) -> int:
    from kdsearch.cli.single import load
    from kdsearch.cli.single import refuse_several
    from kdsearch.config.compose import compose_sweep

    config = compose_sweep(options.words).config
    refuse_several(config)
    _, teacher = load(config)
    if options.json:
        print_json(teacher.record())
    else:
        _print(teacher, config.storage)
    return ExitCode.DONE


def _print(teacher: Teacher, storage: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, title=f"teacher {teacher.config.name}")
    table.add_row("kept in", f"{storage}/teachers/{teacher.hash}")
    table.add_row("samples", str(teacher.sample_count))
    table.add_row("parameters", f"{teacher.parameter_count:,}")
    table.add_row("trained in", f"{teacher.seconds:.1f} s")
    for name, value in teacher.metrics.items():
        table.add_row(name, f"{value:.4f}")
    Console().print(table)
