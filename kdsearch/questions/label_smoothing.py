"""Is distillation label smoothing?

It would be if what smooths labels without a teacher kept the gain: the controls `label_smoothing` (labels, ε) and
`smoothed_teacher` (the distillation loss with a hand-made teacher, 0.99 at the label; Yuan et al., arXiv 1909.11723).
By what `explanation` finds:

supported      one of them has kept the gain at every sample count at which distillation has one
not supported  each has lost it at one sample count at least (they often keep it where there is much data)
unclear        anything else
"""

from __future__ import annotations

from kdsearch.questions.answer import Answer
from kdsearch.questions.answer import Verdict
from kdsearch.questions.explanation import explain
from kdsearch.questions.runs import Runs

ID, QUESTION = "label_smoothing", "Is distillation label smoothing?"


def answer(runs: Runs) -> Answer:
    found = explain(runs, [*runs.names("label_smoothing"), *runs.names("smoothed_teacher")])
    if found is None:
        text = "It takes the control label_smoothing or smoothed_teacher beside labels and a distilled student."
        return Answer(ID, QUESTION, "not studied", text)
    verdict: Verdict = "unclear"
    if found.is_kept:
        verdict = "supported"
    elif found.is_refuted:
        verdict = "not supported"
    return Answer(ID, QUESTION, verdict, found.text, found.evidence)
