"""Do the teacher's targets lower the variance of the student's objective?

Menon et al. (arXiv 2005.10419): the risk of n samples varies with which samples they are, by V[ℓ] / n, and less with
the true probabilities as targets than with labels drawn from them. V[ℓ] is taken over validation samples, which neither
student nor teacher was trained on, with the labels-only student as the predictor (`kdsearch.metrics.loss_variances`).

supported      it is lower with the teacher's targets at every sample count
not supported  it is higher at every sample count
unclear        anything else

with intervals over seeds that hold for all sample counts together.
"""

from __future__ import annotations

from kdsearch.questions.answer import Answer
from kdsearch.questions.answer import Evidence
from kdsearch.questions.answer import Verdict
from kdsearch.questions.intervals import difference
from kdsearch.questions.intervals import estimate_of
from kdsearch.questions.runs import LABELS
from kdsearch.questions.runs import Runs
from kdsearch.questions.words import as_ratio
from kdsearch.questions.words import listed
from kdsearch.report.statistics import Estimate
from kdsearch.report.statistics import direction

ID, QUESTION = "variance", "Do the teacher's targets lower the variance of the student's objective?"
WITH_LABELS, WITH_TEACHER = "val_label_loss_variance", "val_teacher_loss_variance"


def answer(runs: Runs) -> Answer:
    evidence: list[Evidence] = []
    saved: dict[int, Estimate] = {}
    ratios: dict[int, Estimate] = {}
    for count in runs.counts:
        with_labels, with_teacher = (_of_risk(runs, count, metric) for metric in (WITH_LABELS, WITH_TEACHER))
        ratio = {r: with_teacher[r] / with_labels[r] for r in with_labels if r in with_teacher and with_labels[r] > 0}
        less = estimate_of(difference(with_labels, with_teacher))
        told = estimate_of(ratio)
        if less is None or told is None:
            continue
        saved[count], ratios[count] = less, told
        for what, values in (("labels", with_labels), ("the teacher's targets", with_teacher)):
            if (value := estimate_of(values)) is not None:
                evidence.append(Evidence(f"variance of the objective with {what}", count, value, "variance"))
        evidence.append(Evidence("variance with the teacher's targets over that with labels", count, told, "ratio"))
    if not saved:
        return Answer(ID, QUESTION, "not studied", "It takes the control labels, and a teacher.")
    shown = listed(f"{as_ratio(ratios[count])} at n={count}" for count in ratios)
    text = (
        f"With the teacher's targets the variance of the objective of n samples is this many times that with labels:"
        f" {shown}. On validation samples, for the labels-only student. "
        + (
            f"The verdict holds for all {len(saved)} sample counts together at 95 % (Bonferroni)."
            if len(saved) > 1
            else ""
        )
    )
    return Answer(ID, QUESTION, _verdict(list(saved.values())), text.strip(), tuple(evidence))


def _of_risk(runs: Runs, count: int, metric: str) -> dict[int, float]:
    """Of the mean over `count` samples, by replicate."""
    return {replicate: value / count for replicate, value in runs.metric(count, LABELS, metric).items()}


def _verdict(saved: list[Estimate]) -> Verdict:
    directions = {direction(value, len(saved)) for value in saved}
    if directions == {1}:
        return "supported"
    return "not supported" if directions == {-1} else "unclear"
