"""A sweep in Python: start it, or load one that is there, and look at what it found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.errors import ExitCode
from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import SweepState
from kdsearch.ledger.records import TrialRecord

if TYPE_CHECKING:
    import optuna
    import pandas as pd


@dataclass(frozen=True)
class Sweep:
    """What the ledger said about a sweep when it was loaded."""

    record: SweepRecord
    records: tuple[TrialRecord, ...]
    ledger: str
    """The URL of the ledger."""

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def state(self) -> SweepState:
        return self.record.state

    @property
    def trials(self) -> pd.DataFrame:
        """One row per trial: identity, state, recipe under plain names, value, final metrics."""
        import pandas as pd

        return pd.DataFrame([_row(record) for record in self.records])

    def best(self, sample_count: int) -> dict[str, Any]:
        """The best recipe at a sample count, as the report has it: `params`, `mean`, `ci95`, `seeds`.

        Confirmed on the test split where the sweep was confirmed, else its validation result.

        Raises:
            KeyError: the sweep has no such sample count, or no finished trial there.
        """
        for count in self.report["counts"]:
            if count["sample_count"] == sample_count and count["distilled"] is not None:
                return dict(count["distilled"])
        raise KeyError(f"{self.name} has no result at n={sample_count}")

    @property
    def report(self) -> dict[str, Any]:
        """The content of report.json."""
        from kdsearch.report.document import report_document

        return report_document(self.record, self.records)

    @property
    def studies(self) -> dict[int, optuna.Study]:
        """The search studies by sample count: plain Optuna."""
        import optuna

        names = {r.sample_count: r.study for r in self.records if r.kind is Kind.SEARCH}
        return {n: optuna.load_study(study_name=study, storage=self.ledger) for n, study in sorted(names.items())}


def run_sweep(overrides: Iterable[str] = ()) -> Sweep:
    """`kdsearch sweep OVERRIDE…`; returns when the sweep has ended.

    Raises:
        InputError: bad input; nothing was written.
        DriverAtWorkError: another driver is at work on the sweep.
        SweepStoppedError: it did not get to its end (resumable); holds the exit code of the command.
    """
    from rich.console import Console

    from kdsearch.config.compose import compose_sweep
    from kdsearch.search import driver

    composed = compose_sweep(overrides)
    exit_code = driver.run(composed, console=Console())
    if exit_code is not ExitCode.DONE:
        raise SweepStoppedError(composed.config.name, exit_code)
    return load(composed.config.name, ledger=composed.config.ledger)


def load(name: str, storage: str = "kdsearch-data", ledger: str | None = None) -> Sweep:
    """A sweep by name, from the ledger inside `storage`, or from the one at the URL `ledger`.

    Raises:
        InputError: there is no such ledger, or no such sweep in it.
    """
    from kdsearch.config.compose import resolve_locations
    from kdsearch.ledger import open_ledger

    url = ledger or resolve_locations([f"storage={storage}"]).ledger
    opened = open_ledger(url)
    try:
        record = opened.sweep(name)
        if record is None:
            known = ", ".join(sweep.name for sweep in opened.sweeps()) or "none"
            raise InputError([Problem("name", name, f"no such sweep in the ledger; it has: {known}")])
        return Sweep(record, tuple(opened.trials(name)), url)
    finally:
        opened.close()


class SweepStoppedError(RuntimeError):
    """A sweep that did not get to its end; running it again goes on."""

    def __init__(self, name: str, exit_code: ExitCode) -> None:
        super().__init__(f"the sweep {name} stopped early ({exit_code.name.lower().replace('_', ' ')})")
        self.exit_code = exit_code


def _row(record: TrialRecord) -> dict[str, Any]:
    return {
        "trial": record.key,
        "kind": record.kind.value,
        "sample_count": record.sample_count,
        "state": record.state.value,
        "reason": record.reason.value if record.reason else None,
        "control": record.control,
        "confirms": record.confirms,
        "replicate": record.replicate,
        **record.recipe.flat(),
        "seed": record.seed,
        "subset_seed": record.subset_seed,
        "value": record.value,
        **record.metrics,
        "started": record.started,
        "ended": record.ended,
        "attempts": len(record.attempts),
        "restarts": record.restarts,
    }
