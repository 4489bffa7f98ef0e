"""Everything a report says, computed once for its page and its document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.report.effort import Effort
from kdsearch.report.effort import effort
from kdsearch.report.importance import Importance
from kdsearch.report.importance import importances
from kdsearch.report.labels_saved import LabelsSaved
from kdsearch.report.labels_saved import labels_saved
from kdsearch.report.objectives import ObjectiveResult
from kdsearch.report.objectives import compare_objectives
from kdsearch.report.recommendation import Recommendation
from kdsearch.report.recommendation import recommendations
from kdsearch.report.reproduction import SWEEP_KEYS
from kdsearch.report.reproduction import Composer
from kdsearch.report.results import Results
from kdsearch.report.teachers import TeacherRow
from kdsearch.report.teachers import teacher_rows
from kdsearch.report.winners_curse import WinnersCurse
from kdsearch.report.winners_curse import winners_curse

if TYPE_CHECKING:
    from kdsearch.questions import Answer


@dataclass(frozen=True)
class Content:
    results: Results
    recommendations: Sequence[Recommendation]
    labels_saved: Sequence[LabelsSaved]
    objectives: Sequence[ObjectiveResult]
    importances: Sequence[Importance]
    winners_curse: Sequence[WinnersCurse]
    answers: Sequence[Answer]
    """To the paper's questions."""
    teachers: Sequence[TeacherRow]
    effort: Effort
    sweep_overrides: Sequence[str] | None
    """With which `kdsearch sweep` does it again; None where the configuration can't be told in overrides."""

    @classmethod
    def of(cls, sweep: SweepRecord, records: Sequence[TrialRecord]) -> Content:
        from kdsearch.questions import answers

        results, composer = Results.of(sweep, records), Composer()
        return cls(
            results,
            recommendations(results, composer),
            labels_saved(results),
            compare_objectives(results),
            importances(results),
            winners_curse(results),
            answers(sweep, records),
            teacher_rows(results),
            effort(sweep, records),
            composer.overrides(sweep.config, SWEEP_KEYS),
        )
