"""Does the student's size change the gain?

The gain of `kl` over labels only, of the largest student less that of the smallest (the controls `kl student=NAME` and
`labels student=NAME`, and the sweep's own student) at each sample count; by the rule of `effect`.
"""

from __future__ import annotations

from kdsearch.questions.answer import Answer
from kdsearch.questions.answer import Evidence
from kdsearch.questions.effect import judge
from kdsearch.questions.intervals import difference
from kdsearch.questions.intervals import estimate_of
from kdsearch.questions.runs import KL
from kdsearch.questions.runs import LABELS
from kdsearch.questions.runs import Runs
from kdsearch.report.statistics import Estimate

ID, QUESTION = "student_size", "Does the student's size change the gain?"
NEEDS = "the controls labels, kl and students, with students of another size"


def answer(runs: Runs) -> Answer:
    sizes = {name: size for name in (KL, *runs.names("kl student=")) if (size := _parameters(runs, name)) is not None}
    if len(set(sizes.values())) < 2:
        return judge(runs, ID, QUESTION, {}, NEEDS)
    small, large = (pick(sizes, key=lambda name: sizes[name]) for pick in (min, max))
    effect = {count: _difference(runs, count, large, small) for count in runs.counts}
    what = f"gain of the student with {sizes[large]:,.0f} parameters less that of the one with {sizes[small]:,.0f}"
    return judge(
        runs,
        ID,
        QUESTION,
        {what: {n: v for n, v in effect.items() if v is not None}},
        NEEDS,
        beside=_gains(runs, sizes),
    )


def _difference(runs: Runs, count: int, large: str, small: str) -> Estimate | None:
    ours, theirs = (runs.gains(count, name, _labels(name)) for name in (large, small))
    return estimate_of(difference(ours, theirs))


def _gains(runs: Runs, sizes: dict[str, float]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(f"gain of the student with {sizes[name]:,.0f} parameters", count, gain, "points")
        for name in sorted(sizes, key=lambda name: sizes[name])
        for count, gain in runs.gains_by_count(name, _labels(name)).items()
    )


def _labels(name: str) -> str:
    """Labels only with the student of `name`."""
    return LABELS if name == KL else name.replace(KL, LABELS, 1)


def _parameters(runs: Runs, name: str) -> float | None:
    found = [value for count in runs.counts for value in runs.metric(count, name, "student_parameters").values()]
    return found[0] if found else None
