"""How many trials a sweep would train, and about how long that would take."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from datetime import timedelta
from statistics import mean
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table

from kdsearch.config.check_machine import available_cpus
from kdsearch.config.schema import SweepConfig
from kdsearch.estimate.trials import TrialCounts
from kdsearch.estimate.trials import count_trials
from kdsearch.estimate.trials import recorded_sweep
from kdsearch.estimate.trials import trials_left

if TYPE_CHECKING:
    from kdsearch.ledger.records import TrialRecord

DEFAULT_TRIAL_SECONDS = 1.0
START_SECONDS = 20.0
"""Starting Ray and its workers, and training a small teacher."""


def plan_table(config: SweepConfig) -> Group:
    """A table of trials by sample count and kind, with the estimate below."""
    return Group(trial_table(config.name, count_trials(config)), _estimate(config))


def trial_table(name: str, counts: Mapping[int, TrialCounts]) -> Table:
    table = Table("sample count", "controls", "search", "confirm", "all", title=f"{name}: trials")
    for n, of in counts.items():
        table.add_row(*map(str, (n, of.controls, of.search, of.confirm, of.all)))
    rows = [(of.controls, of.search, of.confirm, of.all) for of in counts.values()]
    table.add_section()
    table.add_row("all", *(str(sum(column)) for column in zip(*rows, strict=True)))
    return table


def _estimate(config: SweepConfig) -> str:
    _, trials = recorded_sweep(config)
    left = trials_left(config, trials)
    done = sum(trial.state.is_finished and trial.sample_count in left for trial in trials)
    seconds_of: dict[int, float] = {n: mean(measured) for n in left if (measured := list(_seconds(trials, n)))}
    default: float = mean(seconds_of.values()) if seconds_of else DEFAULT_TRIAL_SECONDS
    work: float = sum(count * seconds_of.get(n, default) for n, count in left.items())
    if not seconds_of:
        work *= config.search.replicates
    slots = _slots(config)
    seconds = START_SECONDS + work / slots
    basis = "from this sweep's finished trials" if seconds_of else f"a rough guess of {default:g} s per training"
    finished = f"{done} of them are done; " if done else ""
    limit = f"; time_budget={config.time_budget:g} s ends the search sooner" if config.time_budget else ""
    return f"{finished}about {timedelta(seconds=round(seconds))} with {slots} at a time ({basis}){limit}"


def _slots(config: SweepConfig) -> int:
    if config.resources.max_concurrent != "auto":
        return config.resources.max_concurrent
    return max(1, int(available_cpus() / config.resources.cpus_per_trial))


def _seconds(trials: Iterable[TrialRecord], sample_count: int) -> Iterable[float]:
    """How long the trials that one attempt finished took."""
    for trial in trials:
        if trial.sample_count == sample_count and len(trial.attempts) == 1 and trial.started and trial.ended:
            yield (trial.ended - trial.started).total_seconds()
