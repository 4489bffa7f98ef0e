"""Is the gain amplified at small sample counts?

The gain is that of the best searched recipe (else of the control `kl`) over labels only, and the relative gain is it
divided by the labels-only accuracy of the same subset. Smallest against largest sample count, by replicate:

supported      the gain or the relative gain is higher at the smallest count
not supported  neither is, and one of them is lower
unclear        anything else

each with an interval that holds for both together. Absolute gains alone would mislead: where labels-only students are
near chance, both the room to gain and the gain are small, and it peaks at a middle count.
"""

from __future__ import annotations

from kdsearch.questions.answer import Answer
from kdsearch.questions.answer import Evidence
from kdsearch.questions.answer import Verdict
from kdsearch.questions.intervals import difference
from kdsearch.questions.intervals import estimate_of
from kdsearch.questions.runs import DISTILLED
from kdsearch.questions.runs import KL
from kdsearch.questions.runs import LABELS
from kdsearch.questions.runs import Runs
from kdsearch.questions.words import basis
from kdsearch.questions.words import in_percent
from kdsearch.questions.words import in_points
from kdsearch.report.statistics import Estimate
from kdsearch.report.statistics import direction

ID, QUESTION = "small_n", "Is the gain amplified at small sample counts?"


def answer(runs: Runs) -> Answer:
    name = next((name for name in (DISTILLED, KL) if len(runs.gains_by_count(name)) > 1), None)
    if name is None:
        return Answer(ID, QUESTION, "not studied", "It takes labels only and a distilled student at two sample counts.")
    gains = runs.gains_by_count(name)
    relative = {count: gain for count in gains if (gain := estimate_of(_relative(runs, count, name))) is not None}
    first, last = min(gains), max(gains)
    more = estimate_of(difference(runs.gains(first, name), runs.gains(last, name)))
    relatively_more = estimate_of(difference(_relative(runs, first, name), _relative(runs, last, name)))
    evidence = [
        *(Evidence("gain over labels only", count, gain, "points") for count, gain in gains.items()),
        *(Evidence("gain relative to labels only", count, gain, "fraction") for count, gain in relative.items()),
    ]
    if more is None or relatively_more is None:
        return Answer(ID, QUESTION, "unclear", f"No seed was finished at both n={first} and n={last}.", tuple(evidence))
    ends = f"n={first} less that at n={last}"
    evidence += [
        Evidence(f"gain at {ends}", None, more, "points"),
        Evidence(f"relative gain at {ends}", None, relatively_more, "fraction"),
    ]
    peak = max(gains, key=lambda count: gains[count].mean)
    text = (
        f"The gain over labels only is {in_points(gains[first])} at n={first} and {in_points(gains[last])} at n={last};"
        f" the difference is {in_points(more)}. Relative to labels-only accuracy it is {in_percent(relative[first])}"
        f" and {in_percent(relative[last])}. "
        + (f"In points it is largest at n={peak}. " if peak != first else "")
        + basis(runs, 2)
    )
    return Answer(ID, QUESTION, _verdict(more, relatively_more), text, tuple(evidence))


def _relative(runs: Runs, count: int, name: str) -> dict[int, float]:
    labels = runs.accuracies(count, LABELS)
    return {r: gain / labels[r] for r, gain in runs.gains(count, name).items() if labels[r] > 0}


def _verdict(*more: Estimate) -> Verdict:
    directions = {direction(value, len(more)) for value in more}
    if 1 in directions:
        return "supported"
    return "not supported" if -1 in directions else "unclear"
