"""Do the teacher's size, and how many samples it has seen, change what students learn from it?

Students of the largest teacher against those of the smallest, among the teachers that have seen as many samples as the
sweep's own; and students of the teacher that has seen most samples against those of the one that has seen fewest, among
those with as many parameters. All by KL with nothing else changed (the controls `kl` and `teacher=NAME`), at each
sample count, by the rule of `effect`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdsearch.questions.answer import Answer
from kdsearch.questions.answer import Evidence
from kdsearch.questions.effect import judge
from kdsearch.questions.runs import KL
from kdsearch.questions.runs import Runs
from kdsearch.questions.words import across

SIZE, SIZE_QUESTION = "teacher_size", "Does the teacher's size change what students learn from it?"
SAMPLES = "teacher_samples"
SAMPLES_QUESTION = "Does it matter how many samples the teacher has seen?"


def size(runs: Runs) -> Answer:
    teachers = _alike(runs, "sample_count")
    needs = "the controls kl and teachers, with teachers of another size that saw as many samples"
    pair = _ends(teachers, "parameter_count")
    if pair is None:
        return judge(runs, SIZE, SIZE_QUESTION, {}, needs)
    small, large = pair
    told = [f"{teachers[name]['parameter_count']:,} parameters" for name in (large, small)]
    what = f"students of the teacher with {told[0]} over those of the one with {told[1]}"
    beside = _gains(runs, teachers, "parameter_count", "parameters")
    return judge(runs, SIZE, SIZE_QUESTION, {what: runs.gains_by_count(large, small)}, needs, beside=beside)


def samples(runs: Runs) -> Answer:
    teachers = _alike(runs, "parameter_count")
    needs = (
        "the controls kl and teachers, with a teacher that saw another number of samples (teachers.NAME.sample_count)"
    )
    pair = _ends(teachers, "sample_count")
    if pair is None:
        return judge(runs, SAMPLES, SAMPLES_QUESTION, {}, needs)
    few, many = pair
    seen = {name: int(teachers[name]["sample_count"]) for name in (few, many)}
    what = f"students of the teacher that saw {seen[many]:,} samples over those of the one that saw {seen[few]:,}"
    gains = {n: gain for n, gain in runs.gains_by_count(few).items() if n >= seen[few]}
    more = (
        f"Students with at least as many samples as the latter gain {across(gains)} over labels only." if gains else ""
    )
    beside = _gains(runs, teachers, "sample_count", "samples")
    effects = {what: runs.gains_by_count(many, few)}
    return judge(runs, SAMPLES, SAMPLES_QUESTION, effects, needs, more, beside)


def _alike(runs: Runs, key: str) -> dict[str, Mapping[str, Any]]:
    """The teachers that were taught from and whose `key` is that of the sweep's own."""
    own = runs.teachers.get(KL, {}).get(key)
    trained = set(runs.names())
    return {
        name: facts
        for name, facts in runs.teachers.items()
        if own is not None and facts.get(key) == own and name in trained
    }


def _ends(teachers: Mapping[str, Mapping[str, Any]], key: str) -> tuple[str, str] | None:
    """Those with the least and the most of `key`; None where all have the same."""
    known = {name: facts[key] for name, facts in teachers.items() if facts.get(key)}
    if len(set(known.values())) < 2:
        return None
    return min(known, key=lambda name: known[name]), max(known, key=lambda name: known[name])


def _gains(runs: Runs, teachers: Mapping[str, Mapping[str, Any]], key: str, noun: str) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(f"gain with the teacher of {teachers[name][key]:,} {noun}", count, gain, "points")
        for name in sorted(teachers, key=lambda name: teachers[name][key])
        for count, gain in runs.gains_by_count(name).items()
    )
