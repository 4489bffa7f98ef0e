"""How many trials a sweep has, and how many of them are left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from kdsearch.config.schema import SweepConfig
from kdsearch.errors import InputError
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord


@dataclass(frozen=True)
class TrialCounts:
    """Of one sample count, over the whole sweep."""

    controls: int
    search: int
    confirm: int

    @property
    def all(self) -> int:
        return self.controls + self.search + self.confirm


def count_trials(config: SweepConfig) -> dict[int, TrialCounts]:
    """By sample count, if every study can fill its confirmation."""
    from kdsearch.search.plan import confirmations_per_count
    from kdsearch.search.plan import control_plans

    controls: Counter[int] = Counter()
    for plan in control_plans(config):
        controls[plan.sample_count] += plan.searched + len(plan.fixed)
    confirmations = confirmations_per_count(config)
    return {n: TrialCounts(controls[n], config.trials_per_count, confirmations) for n in config.sample_counts}


def trials_left(config: SweepConfig, recorded: Iterable[TrialRecord]) -> dict[int, int]:
    """By sample count, how many are not finished."""
    done = Counter(trial.sample_count for trial in recorded if trial.state.is_finished)
    return {n: max(0, counts.all - done[n]) for n, counts in count_trials(config).items()}


def recorded_sweep(config: SweepConfig) -> tuple[SweepRecord | None, list[TrialRecord]]:
    """The sweep and its trials, as far as the ledger has them; nothing where there is no ledger yet."""
    from kdsearch.ledger import open_ledger

    try:
        ledger = open_ledger(config.ledger)
    except InputError:
        return None, []
    try:
        return ledger.sweep(config.name), ledger.trials(config.name)
    finally:
        ledger.close()
