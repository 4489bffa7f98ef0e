"""`kdsearch doctor`.

Tries what a sweep with these overrides will need, before it costs anything: its ledger, MLflow, storage, Ray and every
node of it. One line each: ok, warn (it will run, though perhaps not as you want) or BAD, and what to do after an arrow.
Leaves nothing behind. Exit code 0, or 2 when something is BAD.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.arguments import print_json
from kdsearch.cli.composed import new_config
from kdsearch.errors import ExitCode

if TYPE_CHECKING:
    from rich.console import Console

    from kdsearch.doctor import Finding

STYLES = {"ok": "green", "warn": "yellow", "BAD": "bold red"}


def configure(parser: CommandParser) -> None:
    parser.add_words("[GROUP=NAME …] [KEY=VALUE …]", compose=new_config)
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")


def run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from kdsearch.config.compose import compose_sweep
    from kdsearch.doctor import examine

    config = compose_sweep(options.words, outside_world=False).config
    console, findings = Console(), []
    for finding in examine(config):
        findings.append(finding)
        if not options.json:
            _show(console, finding)
    if options.json:
        print_json([finding.to_dict() for finding in findings])
    return ExitCode.BAD_INPUT if any(finding.is_bad for finding in findings) else ExitCode.DONE


def _show(console: Console, finding: Finding) -> None:
    from rich.text import Text

    line = Text.assemble(
        (f"{finding.status.value:4}", STYLES[finding.status.value]), f"  {finding.check:8}  {finding.found}"
    )
    console.print(line, soft_wrap=True, highlight=False)
