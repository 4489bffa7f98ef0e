"""How soon a search is as good as random search in the end: samplers, pruners and transfer on recorded students.

    python -m tests.benchmarks.efficiency [--dataset NAME] [--repetitions 20] [--processes 1] [--sampler NAME]
    python -m tests.benchmarks.efficiency --table FILE [--short]

Each search is a whole sweep of the four sample counts up to 200 by the real attempt, advisors, pruners and ledger, one
trial at a time (`--pack` sends so many out together); only the students are answered from the record (`record.py`,
`tests.simulation.recorded`). After every trial the recipes that the sweep would recommend (the best of three confirmed
over eight seeds) are scored by their expected accuracy: the regret, against the best recipe of the space. All searches
cost the same: those that prune train more trials for it. Prints one JSON line per cell; `summary.py` says what is in
it. `--table` makes a table of such lines, `--short` one of few. `--first` numbers the repetitions from elsewhere:
variants of transfer were chosen on digits with repetitions from 1000 on, and Fashion-MNIST was not looked at before.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.benchmarks.efficiency.compare import EPOCHS
from tests.benchmarks.efficiency.compare import Cell
from tests.benchmarks.efficiency.compare import Trajectory
from tests.benchmarks.efficiency.compare import search
from tests.benchmarks.efficiency.design import DATASETS
from tests.benchmarks.efficiency.summary import summary
from tests.benchmarks.efficiency.task import load_task

TRIALS = round(EPOCHS)
TRIALS_PRUNED = 8 * TRIALS
"""More than the budget can pay for: a trial that is pruned at once costs an eighth."""

PRUNERS = ("none", "median", "successive_halving", "hyperband")
HEAD = (
    *("data", "sampler", "pruner", "transfer", "regret in the end, points", "at a third of the epochs"),
    *("epochs to random's regret: median", "of the mean regret"),
)
WAY = "confirmed"
"""What a sweep recommends."""

SHORT = (
    *(("random", "none", False), ("tpe", "none", False), ("tpe", "successive_halving", False)),
    *(("tpe", "successive_halving", True), ("gp", "none", False), ("gp", "none", True)),
)
"""Sampler, pruner and transfer of the short table's rows."""

RIVAL = Cell("random", "none", False, TRIALS)


def cells() -> list[Cell]:
    """GP is slow, about a second a trial: without pruning, which it takes no notice of."""
    found = [RIVAL]
    for sampler in ("random", "tpe", "gp"):
        for pruner in PRUNERS:
            for transfer in (False, True):
                cell = Cell(sampler, pruner, transfer, TRIALS if pruner == "none" else TRIALS_PRUNED)
                is_asked = not (sampler == "random" and transfer) and not (sampler == "gp" and pruner != "none")
                if is_asked and cell != RIVAL:
                    found.append(cell)
    return found


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", choices=DATASETS, action="append")
    parser.add_argument("--sampler", action="append", help="these alone, beside random search")
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--pack", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--table", type=Path, metavar="FILE", help="print a table of the lines in this file")
    parser.add_argument("--short", action="store_true", help="of it: each sampler with and without what helps it")
    options = parser.parse_args(arguments)
    if options.table:
        lines = [json.loads(line) for line in options.table.read_text().splitlines()]
        print(table(line for line in lines if "sampler" in line and (not options.short or _key(line) in SHORT)))
        return
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        for dataset in options.dataset or DATASETS:
            print(json.dumps({"dataset": dataset, "held_out_r2": load_task(dataset).fits()}), flush=True)
            rival: list[Trajectory] = []
            for cell in cells():
                if options.sampler and cell != RIVAL and cell.sampler not in options.sampler:
                    continue
                cell = Cell(cell.sampler, cell.pruner, cell.transfer, cell.trials, options.pack)
                repetitions = range(options.first, options.first + options.repetitions)
                found = list(pool.map(partial(search, dataset, cell), repetitions))
                rival = rival or found
                line = {"dataset": dataset, **vars(cell), **summary(found, rival)}
                print(json.dumps(line), flush=True)


def table(lines: Iterable[Mapping[str, Any]]) -> str:
    """One row per cell, in Markdown."""
    found = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    for line in lines:
        names = [line["dataset"], line["sampler"], line["pruner"], "yes" if line["transfer"] else "no"]
        shown = [_shown(line[WAY][name]) for name in ("regret", "at_a_third", "to_random", "mean_to_random")]
        found.append(f"| {' | '.join([*names, *shown])} |")
    return "\n".join(found)


def _key(line: Mapping[str, Any]) -> tuple[str, str, bool]:
    return line["sampler"], line["pruner"], line["transfer"]


def _shown(interval: Sequence[float | None]) -> str:
    value, low, high = ("never" if end is None else f"{end:g}" for end in interval)
    return f"{value} ({low} to {high})"


if __name__ == "__main__":
    main(sys.argv[1:])
