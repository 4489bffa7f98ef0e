"""kdsearch against what one would build by hand, and against the trainings alone.

    python -m tests.benchmarks.head_to_head [--rounds 3] [--trials 300] [--only NAME …] [OVERRIDE …]
    python -m tests.benchmarks.head_to_head --table FILE

The same sweep over objective, temperature and alpha goes through every contender, one process or Ray worker per core,
in turns: each round runs all of them, every second one in reverse. TRIALS is what kdsearch searches in a round; slow
stacks train fewer, the floors more. Rates are of the steady state; start-up and end are given on their own. kdsearch's
start-up on digits includes training the teacher; the others are given its cached signals.

Prints one JSON line per measurement and one with medians and ratios at the end; `--table` makes the README's table of
such lines. Everything is written into temporary folders that are removed. OVERRIDEs are those of kdsearch's sweeps.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.agreement import check_agreement
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.contenders.workload import Workload
from tests.benchmarks.contenders.workload import prepare
from tests.benchmarks.measurement import TEMPORARY
from tests.benchmarks.measurement import Measurement
from tests.benchmarks.measurement import measure
from tests.benchmarks.summary import summarize
from tests.benchmarks.summary import table


def main() -> None:
    arguments = _parser().parse_intermixed_args()
    if arguments.table:
        print(table(read(arguments.table.read_text().splitlines())))
        return
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
        measurements = []
        names, materials = arguments.only or list(CONTENDERS), Path(folder)
        for workload in {CONTENDERS[name].workload for name in names}:
            ready = material_of(workload, materials)
            _print({"agreement": workload.name, **check_agreement(workload, ready)})
        for measurement in rounds(names, arguments.rounds, arguments.trials, materials, arguments.overrides):
            _print(dataclasses.asdict(measurement))
            measurements.append(measurement)
    _print(summarize(measurements))


def rounds(
    names: Sequence[str], count: int, trials: int, materials: Path, overrides: Sequence[str]
) -> Iterator[Measurement]:
    """Every contender of every round, as it is measured."""
    for number in range(1, count + 1):
        for name in names if number % 2 else reversed(names):
            workload = CONTENDERS[name].workload
            per_count = CONTENDERS[name].trials_per_count(trials)
            yield measure(name, number, per_count, workload, material_of(workload, materials), overrides)


def material_of(workload: Workload, materials: Path) -> Path:
    """The folder with the workload's data and signals; made when it is first asked for."""
    folder = materials / workload.name
    if not folder.exists():
        folder.mkdir()
        prepare(workload, folder)
    return folder


def read(lines: Iterable[str]) -> list[Measurement]:
    """The measurements among what a benchmark has printed."""
    found = (json.loads(line) for line in lines if line.startswith("{"))
    return [Measurement(**line) for line in found if "contender" in line]


def _print(line: object) -> None:
    print(json.dumps(line), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=300, help="that kdsearch searches in a round")
    parser.add_argument("--only", action="append", choices=CONTENDERS, help="run this contender; may be repeated")
    parser.add_argument("--table", type=Path, help="print the README's table of the lines in this file")
    parser.add_argument("overrides", nargs="*", help="of kdsearch's sweeps")
    return parser


if __name__ == "__main__":
    main()
