"""Is a good teacher one whose probabilities are good, rather than one that is accurate?

Menon et al. (arXiv 2005.10419): what counts is how well a teacher estimates the classes' probabilities. Measured on
validation by its NLL, Brier score and calibration error (ECE), against its accuracy. For each measure: of all pairs of
teachers, the share that it puts in the order of their students' accuracies (`kl` and `teacher=NAME`; ties count half,
0.5 is chance), mean over sample counts, by replicate.

supported      NLL, Brier score or ECE has a larger share than accuracy
not supported  each of them has a smaller share than accuracy
unclear        anything else

with intervals that hold for the three together. They are over students' seeds and subsets: other teachers may differ.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping

from kdsearch.questions.answer import Answer
from kdsearch.questions.answer import Evidence
from kdsearch.questions.answer import Verdict
from kdsearch.questions.intervals import difference
from kdsearch.questions.intervals import direction
from kdsearch.questions.intervals import estimate_of
from kdsearch.questions.runs import Runs
from kdsearch.questions.words import as_ratio
from kdsearch.questions.words import basis
from kdsearch.questions.words import listed
from kdsearch.report.statistics import Estimate

ID = "teacher_quality"
QUESTION = "Do a teacher's probabilities tell more than its accuracy what students learn from it?"
ACCURACY = "val_accuracy"
ERRORS = {"val_nll": "NLL", "val_brier": "Brier score", "val_ece": "ECE"}
"""Smaller is better."""
LEAST_TEACHERS = 3


def answer(runs: Runs) -> Answer:
    measures = {ACCURACY: 1.0, **dict.fromkeys(ERRORS, -1.0)}
    teachers = {
        name: {measure: sign * float(facts[measure]) for measure, sign in measures.items()}
        for name, facts in runs.teachers.items()
        if name in runs.names() and all(measure in facts for measure in measures)
    }
    shares = {
        measure: _shares(runs, {name: facts[measure] for name, facts in teachers.items()}) for measure in measures
    }
    found = {measure: value for measure, by_seed in shares.items() if (value := estimate_of(by_seed)) is not None}
    if len(teachers) < LEAST_TEACHERS or not found:
        text = f"It takes the controls kl and teachers, and {LEAST_TEACHERS} teachers whose NLL, Brier score and ECE are known."
        return Answer(ID, QUESTION, "not studied", text)
    more = {m: estimate_of(difference(shares[m], shares[ACCURACY])) for m in ERRORS}
    better = {m: value for m, value in more.items() if value is not None}
    evidence = [
        *(
            Evidence(f"pairs of teachers ranked as their students, by {_name(m)}", None, v, "fraction")
            for m, v in found.items()
        ),
        *(Evidence(f"{_name(m)} less accuracy", None, value, "fraction") for m, value in better.items()),
    ]
    told = listed(f"{as_ratio(value)} by {_name(measure)}" for measure, value in found.items())
    text = (
        f"Of the pairs of {len(teachers)} teachers this share is ranked as the accuracies of their students are:"
        f" {told}; chance is 0.5. These teachers are given; the intervals are over students. {basis(runs, len(better))}"
    )
    return Answer(ID, QUESTION, _verdict(list(better.values())), text, tuple(evidence))


def _shares(runs: Runs, qualities: Mapping[str, float]) -> dict[int, float]:
    """By replicate: the share of pairs that `qualities` rank as the students' accuracies do, mean over the counts."""
    found: dict[int, list[float]] = {}
    for count in runs.counts:
        accuracies = {name: runs.accuracies(count, name) for name in qualities}
        replicates = set.intersection(*map(set, accuracies.values())) if accuracies else set()
        for replicate in sorted(replicates):
            values = {name: accuracies[name][replicate] for name in qualities}
            found.setdefault(replicate, []).append(concordance(qualities, values))
    return {replicate: statistics.fmean(shares) for replicate, shares in found.items()}


def concordance(qualities: Mapping[str, float], values: Mapping[str, float]) -> float:
    """The share of pairs that both rank alike; a tie in either counts half."""
    products = [
        (qualities[one] - qualities[other]) * (values[one] - values[other])
        for one, other in itertools.combinations(qualities, 2)
    ]
    return statistics.fmean((product > 0) + (product == 0) / 2 for product in products) if products else 0.5


def _verdict(more: list[Estimate]) -> Verdict:
    directions = [direction(value, len(more)) for value in more]
    if 1 in directions:
        return "supported"
    return "not supported" if directions and set(directions) == {-1} else "unclear"


def _name(measure: str) -> str:
    return ERRORS.get(measure, "accuracy")
