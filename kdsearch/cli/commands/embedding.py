"""`kdsearch embedding`.

Draws what goes into the last layer of the labels-only student, the best student and their teacher, for the validation
samples, and scores how compact each class is: plots/embedding.png and embedding.json in the sweep's report.
"""

from __future__ import annotations

import argparse
from typing import Any

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.arguments import one_name
from kdsearch.cli.composed import named_config
from kdsearch.embedding.project import METHODS
from kdsearch.errors import ExitCode
from kdsearch.errors import InputError
from kdsearch.errors import Problem


def configure(parser: CommandParser) -> None:
    parser.add_words("NAME [storage=…] [ledger=…]", compose=named_config)
    parser.add_argument("--method", choices=METHODS, default="pca", help="to two dimensions; umap is an extra")
    parser.add_argument("--counts", metavar="N,N", help="sample counts; the smallest and the largest when left out")


def run(options: argparse.Namespace) -> int:
    from kdsearch.cli.lookup import load_sweep
    from kdsearch.embedding.write import FIGURE
    from kdsearch.embedding.write import SCORES
    from kdsearch.embedding.write import write_embedding

    name, overrides = one_name(options.words)
    counts = None if options.counts is None else _counts(options.counts)
    sweep = load_sweep(name, overrides)
    _print(write_embedding(sweep, options.method, counts))
    for file in (FIGURE, SCORES):
        print(f"{sweep.storage}/sweeps/{sweep.name}/report/{file}")
    print(f"`kdsearch report {sweep.name}` puts it into the report")
    return ExitCode.DONE


def _counts(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise InputError([Problem("--counts", text, "must be sample counts with commas between them: 50,800")])
    return sorted({int(part) for part in parts})


def _print(document: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table("n", "network", "", "silhouette ↑", "within / between ↓", box=SIMPLE_HEAD)
    for row in document["networks"]:
        scores = (f"{row['silhouette']:.3f}", f"{row['within_between']:.3f}")
        table.add_row(str(row["sample_count"]), row["network"], row["label"], *scores)
    Console().print(table)
