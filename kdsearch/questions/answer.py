"""What an answer is: a question, a verdict by a written rule, and the numbers it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kdsearch.report.statistics import Estimate

Verdict = Literal["supported", "not supported", "unclear", "not studied"]
"""Of what the question asks. `unclear`: looked at, and the intervals leave it open; `not studied`: what would be
needed was not trained."""

Unit = Literal["points", "nats", "fraction", "ratio", "variance"]


@dataclass(frozen=True)
class Evidence:
    """One number behind a verdict."""

    what: str
    sample_count: int | None
    """None where it is of all sample counts together."""
    estimate: Estimate
    """Its interval is the 95 % t-interval over seeds by itself, not corrected for how many there are."""
    unit: Unit
    """`points` and `fraction` are fractions in [-1, 1] (shown in percentage points, and in percent); `variance` is in
    nats²."""


@dataclass(frozen=True)
class Answer:
    id: str
    question: str
    verdict: Verdict
    text: str
    """Plain sentences, with intervals, the split, and how many comparisons there were."""
    evidence: tuple[Evidence, ...] = ()
