"""Does the best teacher change with the sample count?

For every two teachers, how much more accurate the students of the one are than those of the other, at the smallest and
at the largest sample count (the controls `kl` and `teacher=NAME`), with intervals that hold for all of them together:

supported      of two teachers one is better at the smallest count and the other at the largest
not supported  no two can have changed places by more than a point at either end
unclear        anything else
"""

from __future__ import annotations

import itertools

from kdsearch.questions.answer import Answer
from kdsearch.questions.answer import Evidence
from kdsearch.questions.answer import Verdict
from kdsearch.questions.intervals import MARGIN
from kdsearch.questions.intervals import estimate_of
from kdsearch.questions.runs import KL
from kdsearch.questions.runs import Runs
from kdsearch.questions.words import basis
from kdsearch.questions.words import in_points
from kdsearch.report.statistics import Estimate
from kdsearch.report.statistics import corrected
from kdsearch.report.statistics import direction

ID, QUESTION = "best_teacher", "Does the best teacher change with the sample count?"

Pair = tuple[Estimate, Estimate]
"""The difference between two teachers at the smallest and at the largest sample count."""


def answer(runs: Runs) -> Answer:
    counts = [n for n in runs.counts if len(_accuracies(runs, n)) > 1]
    if len(counts) < 2:
        text = "It takes the controls kl and teachers, with another teacher, at two sample counts."
        return Answer(ID, QUESTION, "not studied", text)
    first, last = counts[0], counts[-1]
    teachers = [name for name in _accuracies(runs, first) if name in _accuracies(runs, last)]
    pairs = {
        (one, other): (at_first, at_last)
        for one, other in itertools.permutations(teachers, 2)
        if (at_first := runs.gain(first, one, other)) and (at_last := runs.gain(last, one, other))
    }
    comparisons = len(pairs)  # each pair stands here in both orders, and is compared at both ends
    best = {n: max(found, key=lambda name: found[name].mean) for n in counts if (found := _accuracies(runs, n))}
    told = [f"Students learn best from {_name(best[first])} at n={first} and from {_name(best[last])} at n={last}."]
    if best[first] != best[last] and (best[first], best[last]) in pairs:
        at_first, at_last = pairs[best[first], best[last]]
        told.append(f"Students of the former are ahead by {in_points(at_first)} and {in_points(at_last)}.")
    evidence = [
        Evidence(f"accuracy with {_name(name)}", n, value, "fraction")
        for n in counts
        for name, value in _accuracies(runs, n).items()
    ]
    text = " ".join([*told, basis(runs, comparisons)])
    return Answer(ID, QUESTION, _verdict(list(pairs.values()), comparisons), text, tuple(evidence))


def _verdict(pairs: list[Pair], comparisons: int) -> Verdict:
    if any(direction(a, comparisons) > 0 and direction(b, comparisons) < 0 for a, b in pairs):
        return "supported"
    return "unclear" if any(_may_flip(a, b, comparisons) for a, b in pairs) or not pairs else "not supported"


def _may_flip(at_first: Estimate, at_last: Estimate, comparisons: int) -> bool:
    """Whether the intervals allow that one is better by more than a point at first, and worse by as much at last."""
    if at_first.ci95 is None or at_last.ci95 is None:
        return True
    return corrected(at_first, comparisons).high > MARGIN and corrected(at_last, comparisons).low < -MARGIN


def _accuracies(runs: Runs, count: int) -> dict[str, Estimate]:
    found = {name: estimate_of(runs.accuracies(count, name)) for name in runs.teachers}
    return {name: value for name, value in found.items() if value is not None}


def _name(control: str) -> str:
    return "the sweep's own teacher" if control == KL else f"the teacher {control.removeprefix('teacher=')}"
