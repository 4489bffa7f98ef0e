"""Does the gain live on dark knowledge, what the teacher says of the classes that are not the answer?

It does if what takes it away loses the gain: the controls `shuffled_teacher` (the teacher's confidence, with the other
classes in random order) and `random_head` (its features under a head that knows nothing, not even the answer: the
weaker test of the two). By what `explanation` finds:

supported      each has lost the gain at one sample count at least, and kept it at none
not supported  one of them has kept it at every sample count at which distillation has one
unclear        anything else
"""

from __future__ import annotations

from kdsearch.questions.answer import Answer
from kdsearch.questions.answer import Verdict
from kdsearch.questions.explanation import explain
from kdsearch.questions.runs import Runs

ID, QUESTION = "dark_knowledge", "Does the gain live on dark knowledge?"


def answer(runs: Runs) -> Answer:
    found = explain(runs, [*runs.names("shuffled_teacher"), *runs.names("random_head")])
    if found is None:
        text = "It takes the control shuffled_teacher or random_head beside labels and a distilled student."
        return Answer(ID, QUESTION, "not studied", text)
    verdict: Verdict = "unclear"
    if found.is_lost:
        verdict = "supported"
    elif found.is_kept:
        verdict = "not supported"
    return Answer(ID, QUESTION, verdict, found.text, found.evidence)
