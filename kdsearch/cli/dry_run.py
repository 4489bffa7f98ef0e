"""How many trials a sweep would train, and about how long that would take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from statistics import mean
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table

from kdsearch.config.check_machine import available_cpus
from kdsearch.config.schema import SweepConfig
from kdsearch.errors import InputError

if TYPE_CHECKING:
    from kdsearch.ledger.records import TrialRecord

DEFAULT_TRIAL_SECONDS = 1.0
START_SECONDS = 20.0
"""Starting Ray and its workers, and training a small teacher."""


def plan_table(config: SweepConfig) -> Group:
    """A table of trials by sample count and kind, with the estimate below."""
    from kdsearch.search.plan import confirmations_per_count
    from kdsearch.search.plan import control_plans

    controls: Counter[int] = Counter()
    for plan in control_plans(config):
        controls[plan.sample_count] += plan.searched + len(plan.fixed)
    confirmations = confirmations_per_count(config)
    table = Table("sample count", "controls", "search", "confirm", "all", title=f"{config.name}: trials")
    per_count = {n: controls[n] + config.trials_per_count + confirmations for n in config.sample_counts}
    for n, total in per_count.items():
        table.add_row(*map(str, (n, controls[n], config.trials_per_count, confirmations, total)))
    total = sum(per_count.values())
    sums = (sum(controls.values()), config.trials_per_count * len(per_count), confirmations * len(per_count), total)
    table.add_section()
    table.add_row("all", *map(str, sums))
    return Group(table, _estimate(config, per_count))


def _estimate(config: SweepConfig, per_count: dict[int, int]) -> str:
    trials = _recorded(config)
    done = Counter(trial.sample_count for trial in trials if trial.state.is_finished)
    seconds_of: dict[int, float] = {n: mean(measured) for n in per_count if (measured := list(_seconds(trials, n)))}
    default: float = mean(seconds_of.values()) if seconds_of else DEFAULT_TRIAL_SECONDS
    left = {n: max(0, count - done[n]) for n, count in per_count.items()}
    work: float = sum(count * seconds_of.get(n, default) for n, count in left.items())
    if not seconds_of:
        work *= config.search.replicates
    slots = _slots(config)
    seconds = START_SECONDS + work / slots
    basis = "from this sweep's finished trials" if seconds_of else f"a rough guess of {default:g} s per training"
    finished = f"{sum(done.values())} of them are done; " if done else ""
    limit = f"; time_budget={config.time_budget:g} s ends the search sooner" if config.time_budget else ""
    return f"{finished}about {timedelta(seconds=round(seconds))} with {slots} at a time ({basis}){limit}"


def _slots(config: SweepConfig) -> int:
    if config.resources.max_concurrent != "auto":
        return config.resources.max_concurrent
    return max(1, int(available_cpus() / config.resources.cpus_per_trial))


def _recorded(config: SweepConfig) -> list[TrialRecord]:
    """The trials that the sweep has; none where there is no ledger yet."""
    from kdsearch.ledger import open_ledger

    try:
        ledger = open_ledger(config.ledger)
    except InputError:
        return []
    trials = ledger.trials(config.name)
    ledger.close()
    return trials


def _seconds(trials: Iterable[TrialRecord], sample_count: int) -> Iterable[float]:
    """How long the trials that one attempt finished took."""
    for trial in trials:
        if trial.sample_count == sample_count and len(trial.attempts) == 1 and trial.started and trial.ended:
            yield (trial.ended - trial.started).total_seconds()
