"""Is a good teacher one whose probabilities are good, rather than one that is accurate?

Menon et al. (arXiv 2005.10419): what counts is how well a teacher estimates the classes' probabilities. Measured on
validation by its NLL, Brier score and calibration error (ECE), against its accuracy. Two teachers differ clearly at a
sample count where the accuracies of their students do (`kl` and `teacher=NAME`; intervals that hold for all pairs
together). Pairs that are equally accurate are left out: accuracy can't be right about them. For each measure: the share
of clear differences that it has the right way round, by replicate.

supported      NLL, Brier score or ECE has a larger share than accuracy
not supported  each of them has a smaller share than accuracy
unclear        anything else, or no clear difference

with intervals that hold for the three together. They are over students' seeds and subsets: other teachers may differ.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping
from collections.abc import Sequence

from kdsearch.questions.answer import Answer
from kdsearch.questions.answer import Evidence
from kdsearch.questions.answer import Verdict
from kdsearch.questions.intervals import difference
from kdsearch.questions.intervals import estimate_of
from kdsearch.questions.runs import Runs
from kdsearch.questions.words import as_ratio
from kdsearch.questions.words import basis
from kdsearch.questions.words import listed
from kdsearch.report.statistics import Estimate
from kdsearch.report.statistics import direction

ID = "teacher_quality"
QUESTION = "Do a teacher's probabilities tell more than its accuracy what students learn from it?"
ACCURACY = "val_accuracy"
MEASURES = {ACCURACY: "accuracy", "val_nll": "NLL", "val_brier": "Brier score", "val_ece": "ECE"}
Case = tuple[int, str, str]
"""A sample count, and two teachers."""
LEAST_TEACHERS = 3


def answer(runs: Runs) -> Answer:
    teachers = _qualities(runs)
    if len(teachers) < LEAST_TEACHERS:
        text = f"It takes the controls kl and teachers, and {LEAST_TEACHERS} teachers with NLL, Brier score and ECE."
        return Answer(ID, QUESTION, "not studied", text)
    clear = _clear_differences(runs, {name: of[ACCURACY] for name, of in teachers.items()})
    if not clear:
        text = f"The students of no two of the {len(teachers)} teachers differ clearly, of those of different accuracy."
        text += f" {basis(runs, 1)}"
        return Answer(ID, QUESTION, "unclear", text)
    shares = {m: _shares(runs, clear, {name: of[m] for name, of in teachers.items()}) for m in MEASURES}
    found = {m: value for m, by_seed in shares.items() if (value := estimate_of(by_seed)) is not None}
    more = {m: estimate_of(difference(shares[m], shares[ACCURACY])) for m in MEASURES if m != ACCURACY}
    better = {m: value for m, value in more.items() if value is not None}
    evidence = [
        *(Evidence(f"clear differences ranked right by {MEASURES[m]}", None, v, "fraction") for m, v in found.items()),
        *(Evidence(f"{MEASURES[m]} less accuracy", None, value, "fraction") for m, value in better.items()),
    ]
    told = listed(f"{as_ratio(value)} by {MEASURES[measure]}" for measure, value in found.items())
    text = (
        f"Students of two of the {len(teachers)} teachers, of different accuracy, differ clearly in {len(clear)} cases,"
        " over all sample counts."
        f" This share is ranked as the teachers are: {told}; chance is 0.50. The intervals are over students; other"
        f" teachers may rank otherwise. {basis(runs, len(better))}"
    )
    return Answer(ID, QUESTION, _verdict(list(better.values())), text, tuple(evidence))


def _qualities(runs: Runs) -> dict[str, dict[str, float]]:
    """Of each teacher that was taught from, every measure; larger is better."""
    trained = set(runs.names())
    return {
        name: {measure: (1 if measure == ACCURACY else -1) * float(facts[measure]) for measure in MEASURES}
        for name, facts in runs.teachers.items()
        if name in trained and all(measure in facts for measure in MEASURES)
    }


def _clear_differences(runs: Runs, accuracies: Mapping[str, float]) -> list[Case]:
    """Of teachers with different accuracies."""
    pairs = [(a, b) for a, b in itertools.combinations(accuracies, 2) if accuracies[a] != accuracies[b]]
    cases = [(n, *pair) for n in runs.counts for pair in pairs]
    return [(n, one, other) for n, one, other in cases if direction(runs.gain(n, one, other), len(cases))]


def _shares(runs: Runs, cases: Sequence[Case], qualities: Mapping[str, float]) -> dict[int, float]:
    """By replicate that has all of them: the share of `cases` that `qualities` rank as the students' accuracies do."""
    gains = [(runs.gains(n, one, other), qualities[one] - qualities[other]) for n, one, other in cases]
    replicates = set.intersection(*(set(by_replicate) for by_replicate, _ in gains))
    return {r: statistics.fmean(_agreement(by[r], quality) for by, quality in gains) for r in sorted(replicates)}


def _agreement(difference: float, quality: float) -> float:
    """1 where both have the same sign, 0.5 where one is 0."""
    return 0.5 if difference * quality == 0 else float(difference * quality > 0)


def _verdict(more: list[Estimate]) -> Verdict:
    directions = [direction(value, len(more)) for value in more]
    if 1 in directions:
        return "supported"
    return "not supported" if directions and set(directions) == {-1} else "unclear"
