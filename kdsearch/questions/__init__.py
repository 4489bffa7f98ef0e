"""The paper's questions (arXiv 2510.15516), each answered in words with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal

if TYPE_CHECKING:
    from kdsearch.ledger.records import SweepRecord
    from kdsearch.ledger.records import TrialRecord
    from kdsearch.report.statistics import Estimate

Verdict = Literal["supported", "not supported", "unclear", "not studied"]
Unit = Literal["points", "nats", "fraction", "ratio", "variance"]


@dataclass(frozen=True)
class Evidence:
    what: str
    sample_count: int | None
    estimate: Estimate
    unit: Unit


@dataclass(frozen=True)
class Answer:
    id: str
    question: str
    verdict: Verdict
    text: str
    evidence: tuple[Evidence, ...]


def answers(sweep: SweepRecord, records: Sequence[TrialRecord]) -> tuple[Answer, ...]:
    return ()
