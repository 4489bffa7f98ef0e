"""Whether one thing changes the students' accuracy: the rule that several questions share.

Of the differences that it makes, at each sample count and with intervals that hold for all of them together:

supported      one at least lies above or below 0
not supported  every one lies within a point of 0
unclear        anything else
"""

from __future__ import annotations

from collections.abc import Mapping

from kdsearch.questions.answer import Answer
from kdsearch.questions.answer import Evidence
from kdsearch.questions.answer import Verdict
from kdsearch.questions.intervals import is_negligible
from kdsearch.questions.runs import Runs
from kdsearch.questions.words import across
from kdsearch.questions.words import at_counts
from kdsearch.questions.words import basis
from kdsearch.report.statistics import Estimate
from kdsearch.report.statistics import direction

Effects = Mapping[str, Mapping[int, Estimate]]
"""What is compared (`mse over kl`) → sample count → difference of accuracy."""


def judge(
    runs: Runs, id: str, question: str, effects: Effects, needs: str, more: str = "", beside: tuple[Evidence, ...] = ()
) -> Answer:
    """The answer that `effects` give; without any, that it takes what `needs` names. `beside` is further evidence, and
    `more` what is to be said of it."""
    effects = {what: values for what, values in effects.items() if values}
    comparisons = sum(map(len, effects.values()))
    if not comparisons:
        return Answer(id, question, "not studied", f"It takes {needs}.", beside)
    told = [_sentence(what, values, comparisons) for what, values in effects.items()]
    evidence = [Evidence(what, n, value, "points") for what, values in effects.items() for n, value in values.items()]
    text = " ".join([*told, *([more] if more else []), basis(runs, comparisons)])
    return Answer(id, question, _verdict(effects, comparisons), text, (*evidence, *beside))


def _verdict(effects: Effects, comparisons: int) -> Verdict:
    values = [value for by_count in effects.values() for value in by_count.values()]
    if any(direction(value, comparisons) for value in values):
        return "supported"
    return "not supported" if all(is_negligible(value, comparisons) for value in values) else "unclear"


def _sentence(what: str, values: Mapping[int, Estimate], comparisons: int) -> str:
    higher = [count for count in values if direction(values[count], comparisons) > 0]
    lower = [count for count in values if direction(values[count], comparisons) < 0]
    told = f"{what[0].upper() + what[1:]}: {across(values)}"
    clear = [
        f"clearly {word} at {at_counts(counts)}" for word, counts in (("higher", higher), ("lower", lower)) if counts
    ]
    return f"{told}; {' and '.join(clear)}." if clear else f"{told}."
