"""`kdsearch plan`.

Hours, end and price of what is left of the sweep, each as a range: from its own finished trials where the ledger has
any, from a calibration (`--calibrate` trains one student for the smallest and one for the largest sample count here),
or from a rough guess. A node is this machine unless --cpus and --gpus, or cluster=aws with cluster.instance_type, say
otherwise; AWS's prices need credentials that boto3 finds. Nothing is started.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from datetime import timedelta
from typing import TYPE_CHECKING

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.arguments import print_json
from kdsearch.cli.composed import new_config
from kdsearch.errors import ExitCode
from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from rich.table import Table

    from kdsearch.config.schema import SweepConfig
    from kdsearch.estimate.durations import Durations
    from kdsearch.estimate.durations import Range
    from kdsearch.estimate.forecast import Forecast
    from kdsearch.estimate.forecast import Price
    from kdsearch.estimate.forecast import Row
    from kdsearch.ledger.records import TrialRecord

DEFAULT_NODES = 4


def configure(parser: CommandParser) -> None:
    parser.add_words("[GROUP=NAME …] [KEY=VALUE …]", compose=new_config)
    parser.add_argument("--nodes", type=int, default=DEFAULT_NODES, help="show up to so many (default: %(default)s)")
    parser.add_argument("--cpus", type=float, help="of a node; this machine's unless given")
    parser.add_argument("--gpus", type=float, help="of a node")
    parser.add_argument("--price", type=float, metavar="USD", help="of a node for an hour")
    parser.add_argument("--calibrate", action="store_true", help="measure how long a training takes, on this machine")
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")


def run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from kdsearch.cli.dry_run import trial_table
    from kdsearch.config.compose import compose_sweep
    from kdsearch.estimate.forecast import forecast
    from kdsearch.estimate.forecast import to_dict
    from kdsearch.estimate.nodes import find_node
    from kdsearch.estimate.nodes import find_price
    from kdsearch.estimate.trials import count_trials
    from kdsearch.estimate.trials import recorded_sweep
    from kdsearch.estimate.trials import trials_left

    _check(options)
    # The data need not be here, unless they are trained on.
    config = compose_sweep(options.words, outside_world=options.calibrate).config
    node = find_node(config, options.cpus, options.gpus)
    price, why_not = find_price(config, options.price)
    sweep, trials = recorded_sweep(config)
    left = trials_left(config, trials)
    durations = _durations(config, options, trials)
    start = _start(sweep.teacher if sweep else {})
    made = forecast(left, durations, config.resources, node, start)
    rows = made.rows(options.nodes, price)
    if options.json:
        print_json(to_dict(made, rows, price, durations.basis))
        return ExitCode.DONE
    console = Console()
    console.print(trial_table(config.name, count_trials(config)))
    for line in _lines(config, made, durations, price, why_not):
        console.print(line, highlight=False, soft_wrap=True)
    if made.trials:
        console.print(_end_table(rows, datetime.now().astimezone()))
    return ExitCode.DONE


def _check(options: argparse.Namespace) -> None:
    given = {"--nodes": options.nodes, "--cpus": options.cpus, "--price": options.price}
    problems = [
        Problem(name, value, "must be > 0") for name, value in given.items() if value is not None and value <= 0
    ]
    if options.gpus is not None and options.gpus < 0:
        problems.append(Problem("--gpus", options.gpus, "must be >= 0"))
    if problems:
        raise InputError(problems)


def _durations(config: SweepConfig, options: argparse.Namespace, trials: list[TrialRecord]) -> Durations:
    from kdsearch.estimate.durations import from_calibration
    from kdsearch.estimate.durations import from_trials
    from kdsearch.estimate.durations import guessed

    if options.calibrate:
        from kdsearch.estimate.calibration import calibrate
        from kdsearch.estimate.calibration import ends

        counts = " and ".join(f"n={n}" for n in dict.fromkeys(ends(config)))
        print(f"training a student at {counts} …", file=sys.stderr)
        return from_calibration(calibrate(config))
    return from_trials(trials) or guessed(config.sample_counts, config.search.replicates)


def _start(teacher: object) -> float:
    from kdsearch.estimate.forecast import START_SECONDS

    # A teacher that is there need not be trained again, but what is on record is what another cluster has to do.
    seconds = teacher.get("seconds") if isinstance(teacher, dict) else None
    return START_SECONDS + float(seconds or 0.0)


def _lines(
    config: SweepConfig, made: Forecast, durations: Durations, price: Price | None, why_not: str | None
) -> list[str]:
    from kdsearch.estimate.durations import Range

    each = made.work.scaled(1 / made.trials) if made.trials else Range(0, 0, 0)
    gpu = f"{_hours(made.gpu_hours)} GPU-hours, " if config.resources.gpus_per_trial else ""
    slots = made.node.slots(config.resources)
    lines = [
        f"left: {made.trials} trials of about {_seconds(each.middle)} each: {gpu}{_hours(made.cpu_hours)} CPU-hours",
        f"  {durations.basis}",
        f"node: {made.node.name}, {made.node.cpus:g} CPUs, {made.node.gpus:g} GPUs, {slots} at a time",
    ]
    if price is not None:
        dollars = f"${price.low:.3f}" if price.low == price.high else f"${price.low:.3f} to ${price.high:.3f}"
        lines.append(f"price: {dollars} for a node and hour ({price.basis}); the head node comes on top")
    elif why_not:
        lines.append(f"price: not known ({why_not}); --price gives it")
    if config.time_budget:
        lines.append(f"time_budget={config.time_budget:g} s ends the search sooner, if it is shorter")
    return lines


def _end_table(rows: list[Row], now: datetime) -> Table:
    from rich.table import Table

    table = Table("nodes", "takes", "between", "ends about", *(["costs"] if rows[0].dollars else []))
    for row in rows:
        end = now + timedelta(seconds=row.seconds.middle)
        cells = [
            str(row.nodes),
            _seconds(row.seconds.middle),
            f"{_seconds(row.seconds.low)} and {_seconds(row.seconds.high)}",
            f"{end:%H:%M}" if end.date() == now.date() else f"{end:%a %d %b %H:%M}",
        ]
        if row.dollars is not None:
            cells.append(f"${row.dollars[0]:.2f} to ${row.dollars[1]:.2f}")
        table.add_row(*cells)
    return table


def _hours(hours: Range) -> str:
    return f"{_figure(hours.middle)} ({_figure(hours.low)} to {_figure(hours.high)})"


def _figure(value: float) -> str:
    """Two significant digits are more than is known."""
    return f"{value:.2g}" if value < 100 else f"{value:.0f}"


def _seconds(seconds: float) -> str:
    if seconds < 60:
        return f"{_figure(seconds)} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"
