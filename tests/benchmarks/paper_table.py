"""The paper's questions on several data sets: the README's tables.

    python -m tests.benchmarks.paper_table [SWEEP …] [--storage DIR]
    python -m tests.benchmarks.paper_table --run [DATASET …] [--size quick] [--storage DIR] [DATASET:KEY=VALUE …]

The first makes the tables of sweeps that are there (default: all six). With `--run` each data set is swept first, as
`kdsearch sweep +preset=paper preset.size=SIZE dataset=DATASET name=paper_DATASET`; a sweep that was interrupted goes
on. An override is one data set's own: `spam_assassin:dataset.root=package`, `letter:dataset.root=mlbench`.

First table: gain of the best recipe over labels only on the test split, with 95 % t-intervals over seeds and subsets,
and the largest data efficiency. Second table: the verdict on each question.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable
from collections.abc import Sequence

import kdsearch
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.questions import answers
from kdsearch.report.summary import CountSummary
from kdsearch.report.summary import summarize
from kdsearch.report.wording import points
from kdsearch.report.wording import times

DATASETS = ("digits", "fashion_mnist", "mnist_5k", "letter", "satellite", "spam_assassin")
PREFIX = "paper_"
SIGNS = {"supported": "yes", "not supported": "no", "unclear": "unclear", "not studied": "–"}

Result = tuple[SweepRecord, Sequence[TrialRecord]]


def main() -> None:
    arguments = _parser().parse_args()
    names = [word for word in arguments.words if "=" not in word]
    overrides = [word for word in arguments.words if "=" in word]
    if arguments.run or not names:
        names = [f"{PREFIX}{dataset}" for dataset in names or DATASETS]
    for dataset in (name.removeprefix(PREFIX) for name in names if arguments.run):
        own = [text.removeprefix(f"{dataset}:") for text in overrides if text.startswith(f"{dataset}:")]
        sweep(dataset, arguments.size, arguments.storage, own)
    loaded = [kdsearch.load(name, storage=arguments.storage) for name in names]
    print(tables([(sweep.record, sweep.records) for sweep in loaded]))


def sweep(dataset: str, size: str, storage: str, overrides: Sequence[str]) -> None:
    """
    Raises:
        CalledProcessError: it did not come to its end.
    """
    words = ["+preset=paper", f"preset.size={size}", f"dataset={dataset}", f"name={PREFIX}{dataset}"]
    command = [sys.executable, "-m", "kdsearch", "sweep", *words, f"storage={storage}", *overrides]
    subprocess.run(command, check=True, stdout=sys.stderr)


def tables(results: Sequence[Result]) -> str:
    """Markdown."""
    head = ("data set", "gain at the smallest n", "at the middle n", "at the largest n", "largest data efficiency")
    gains = [head, *(_gains(record, summarize(record, rows)) for record, rows in results)]
    found = [answers(record, rows) for record, rows in results]
    questions = [("question", *(_name(record) for record, _ in results))]
    questions += [
        (of_question[0].question, *(SIGNS[answer.verdict] for answer in of_question))
        for of_question in zip(*found, strict=True)
    ]
    return f"{_markdown(gains)}\n\n{_markdown(questions)}"


def _gains(record: SweepRecord, summaries: Sequence[CountSummary]) -> tuple[str, ...]:
    known = [summary for summary in summaries if summary.gain is not None]
    if not known:
        return (_name(record), *["–"] * 4)
    shown = [_gain(known[place]) for place in (0, len(known) // 2, -1)]
    most = max(known, key=_efficiency)
    return (_name(record), *shown, f"{times(most.data_efficiency)} at n={most.sample_count}")


def _gain(summary: CountSummary) -> str:
    unconfirmed = "" if summary.evaluated_on == "test" else " (validation)"
    return f"{points(summary.gain)} at n={summary.sample_count}{unconfirmed}"


def _efficiency(summary: CountSummary) -> float:
    efficiency = summary.data_efficiency
    return efficiency.value or efficiency.at_least or 0.0


def _name(record: SweepRecord) -> str:
    return record.name.removeprefix(PREFIX)


def _markdown(rows: Iterable[Sequence[str]]) -> str:
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.paper_table")
    parser.add_argument("words", nargs="*", metavar="SWEEP", help="sweeps; with --run data sets, and overrides of them")
    parser.add_argument("--run", action="store_true", help="sweep them first")
    parser.add_argument("--size", default="quick", help="of the preset: quick or full")
    parser.add_argument("--storage", default="kdsearch-data", help="folder of the sweeps")
    return parser


if __name__ == "__main__":
    main()
