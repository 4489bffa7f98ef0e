"""Which gains over labels only are clear.

A sweep looks at several sample counts, so one of them may seem to gain by luck: a gain is clear where the t-interval
that holds for all of them together (Bonferroni) lies above 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kdsearch.report.statistics import Estimate
from kdsearch.report.statistics import corrected
from kdsearch.report.statistics import direction
from kdsearch.report.summary import CountSummary

Standing = Literal["clear gain", "clear loss", "unclear", "no interval"]
"""`no interval`: of a single run."""
_BY_DIRECTION: dict[int, Standing] = {1: "clear gain", -1: "clear loss", 0: "unclear"}


@dataclass(frozen=True)
class Gain:
    """Of one sample count; fractions, of the split that the summary names."""

    summary: CountSummary
    value: Estimate
    """With the 95 % interval of this gain by itself."""
    together: Estimate
    """With the interval that holds for all `compared` sample counts together."""
    compared: int
    """Sample counts whose gains have an interval."""
    standing: Standing

    @property
    def sample_count(self) -> int:
        return self.summary.sample_count


def gains(summaries: Sequence[CountSummary]) -> list[Gain]:
    """Of every sample count whose gain is known, in their order."""
    known = [(summary, summary.gain) for summary in summaries if summary.gain is not None]
    compared = sum(value.ci95 is not None for _, value in known)
    return [
        Gain(summary, value, corrected(value, compared), compared, _standing(value, compared))
        for summary, value in known
    ]


def leading(found: Sequence[Gain]) -> Gain | None:
    """The largest of the clear gains; without one the largest that has an interval, else the largest of single runs."""
    ranks = ({"clear gain"}, {"unclear", "clear loss"}, {"no interval"})
    candidates = ([gain for gain in found if gain.standing in standings] for standings in ranks)
    return next((max(some, key=lambda gain: gain.value.mean) for some in candidates if some), None)


def _standing(value: Estimate, compared: int) -> Standing:
    return "no interval" if value.ci95 is None else _BY_DIRECTION[direction(value, compared)]
