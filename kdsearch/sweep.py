"""A sweep in Python: start it, or load one that is there, and look at what it found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
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
    import altair as alt
    import optuna
    import pandas as pd
    from torch import nn

    from kdsearch.data import Splits
    from kdsearch.students import StudentStore


@dataclass(frozen=True)
class Sweep:
    """What the ledger said about a sweep when it was loaded."""

    record: SweepRecord
    records: tuple[TrialRecord, ...]
    ledger: str
    """The URL of the ledger."""
    storage: str
    """The folder, or `s3://…`, with its files."""

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
        from kdsearch.report.document import count_documents

        for count in count_documents(self.record, self.records):
            if count["sample_count"] == sample_count and count["distilled"] is not None:
                return dict(count["distilled"])
        raise KeyError(f"{self.name} has no result at n={sample_count}")

    def student(self, sample_count: int) -> nn.Module:
        """The student of the best recipe at a sample count, as its confirmation trained it: of the fresh seeds the best
        on validation. On the CPU, in eval mode, without gradients; maps [B, *input_shape] to logits [B, class_count].

        Raises:
            KeyError: nothing has been confirmed at this sample count.
            FileNotFoundError: its students were not kept, or are not in `storage`.
            InputError: the network's own code cannot be imported.
        """
        from kdsearch.report.summary import search_metric
        from kdsearch.students.choice import best_student
        from kdsearch.students.choice import chosen_recipes

        choice = chosen_recipes(self.record, self.records).get(sample_count)
        if choice is None:
            raise KeyError(f"{self.name} has nothing confirmed at n={sample_count}")
        best = best_student(choice.distilled, search_metric(self.record), self.students)
        if best is None:
            raise FileNotFoundError(f"no student of {self.name} at n={sample_count} is kept in {self.storage}")
        return best.student.model

    @property
    def students(self) -> StudentStore:
        """The students that its confirmations have kept."""
        from kdsearch.storage import open_storage
        from kdsearch.students import StudentStore

        return StudentStore(open_storage(self.storage), self.name, self.record.uid)

    @property
    def results(self) -> dict[str, Any]:
        """The content of report.json."""
        from kdsearch.report.document import report_document

        return report_document(self.record, self.records)

    def data(self) -> Splits:
        """Its data, split as it splits them; without the test split, which confirmation alone may read.

        Raises:
            InputError: they are not to be had here, or have changed since.
        """
        from kdsearch.config.schema import DatasetConfig
        from kdsearch.config.stored import stored_part
        from kdsearch.data import load_splits

        config = DatasetConfig.model_validate(stored_part(self.record.config, "dataset"))
        splits = load_splits(config, int(stored_part(self.record.config, "seed"))).without_test()
        before = self.record.teacher.get("fingerprint", {}).get("data")
        if before not in (None, splits.fingerprint):
            raise InputError([Problem("dataset", config.name, f"its content has changed since {self.name} was run")])
        return splits

    def report(self, output: str | Path) -> Path:
        """Write report.html and what belongs to it into the folder `output`; the HTML file."""
        from kdsearch.report.write import write_report

        return write_report(self.record, self.records, Path(output))

    @property
    def figures(self) -> dict[str, alt.TopLevelMixin]:
        """The figures of the report by name: Altair charts, which notebooks show and `.save` writes."""
        from kdsearch.report.content import Content
        from kdsearch.report.figures import charts

        return charts(Content.of(self.record, self.records))

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
    return load(composed.config.name, composed.config.storage, composed.config.ledger)


def load(name: str, storage: str | None = None, ledger: str | None = None) -> Sweep:
    """A sweep by name, from the ledger at the URL `ledger`, or from the one of `storage`.

    What is not given is what the environment names (KDSEARCH_STORAGE, KDSEARCH_LEDGER), or `./kdsearch-data` and the
    ledger inside the storage. With a `ledger` but no `storage` it is the one that the sweep was started with.

    Raises:
        InputError: there is no such ledger, or no such sweep in it.
    """
    from kdsearch.config.compose import resolve_locations
    from kdsearch.config.place import is_set
    from kdsearch.config.stored import stored_part
    from kdsearch.ledger import open_ledger

    if ledger is None:
        places = resolve_locations([] if storage is None else [f"storage={storage}"])
        ledger, storage = places.ledger, storage if storage or is_set("ledger") else places.storage
    opened = open_ledger(ledger)
    try:
        record = opened.sweep(name)
        if record is None:
            known = ", ".join(sweep.name for sweep in opened.sweeps()) or "none"
            raise InputError([Problem("name", name, f"no such sweep in the ledger; it has: {known}")])
        return Sweep(record, tuple(opened.trials(name)), ledger, storage or str(stored_part(record.config, "storage")))
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
