"""`kdsearch export`.

Writes the best student of each confirmed sample count to DIR/n=COUNT: weights (safetensors), config.json, a model card,
and the network as a program of torch.export and of ONNX where it can be one. Every file is loaded again and must give
the student's outputs. Nothing is trained: confirmation has kept its students.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.arguments import one_name
from kdsearch.cli.composed import named_config
from kdsearch.errors import ExitCode
from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from kdsearch.export.write import Exported


def configure(parser: CommandParser) -> None:
    parser.add_words("NAME --output DIR [storage=…] [ledger=…]", compose=named_config)
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder to write to; new or empty")


def run(options: argparse.Namespace) -> int:
    from kdsearch.cli.lookup import load_sweep
    from kdsearch.export.write import check_output
    from kdsearch.export.write import export_sweep

    name, overrides = one_name(options.words)
    if options.output is None:
        raise InputError([Problem("--output", None, "must be given: a new or an empty folder")])
    output = options.output.expanduser().absolute()
    check_output(output)
    for exported in export_sweep(load_sweep(name, overrides), output):
        _print(exported)
    return ExitCode.DONE


def _print(exported: Exported) -> None:
    from kdsearch.export.formats import FILES
    from kdsearch.report.wording import percent

    summary = exported.summary
    written = ", ".join(file for file in FILES if file not in exported.left_out)
    print(f"n={summary.sample_count}  {summary.recipe_label}  test accuracy {percent(summary.distilled)} %  {written}")
    for file, reason in exported.left_out.items():
        print(f"  without {file}: {reason}")
    if exported.target is not None:
        alone = "" if "model.pt2" in exported.left_out else "; model.pt2 needs torch alone"
        print(f"  {exported.target} must be on the Python path where it is loaded{alone}")
    print(f"  {exported.folder}")
