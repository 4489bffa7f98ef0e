"""A sweep's results, derived once for all that the report says and draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.report.confirmation import Confirmed
from kdsearch.report.confirmation import confirmed_recipes
from kdsearch.report.summary import CountSummary
from kdsearch.report.summary import search_metric
from kdsearch.report.summary import summarize


@dataclass(frozen=True)
class Results:
    sweep: SweepRecord
    records: Sequence[TrialRecord]
    metric: str
    """What the search went by, on validation."""
    summaries: Sequence[CountSummary]
    """One for each sample count, smallest first."""
    confirmed: Sequence[Confirmed]

    @classmethod
    def of(cls, sweep: SweepRecord, records: Sequence[TrialRecord]) -> Results:
        summaries = summarize(sweep, records)
        return cls(sweep, records, search_metric(sweep), summaries, confirmed_recipes(records))

    @property
    def sample_counts(self) -> list[int]:
        return [summary.sample_count for summary in self.summaries]

    def searched(self, sample_count: int) -> list[TrialRecord]:
        """The searched trials of one sample count that have a value."""
        return [
            record
            for record in self.records
            if record.kind is Kind.SEARCH
            and record.sample_count == sample_count
            and record.state is TrialState.COMPLETE
            and record.value is not None
        ]
