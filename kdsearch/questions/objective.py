"""Does the objective change the accuracy?

Every other objective, and KL at other temperatures (the controls `mse`, `kl_t1`, `kl=20`, …), against the control `kl`
(temperature 4) at each sample count, all with alpha=1 and nothing searched; by the rule of `effect`.
"""

from __future__ import annotations

from kdsearch.objectives.spec import SPECS
from kdsearch.objectives.spec import TEMPERATURE
from kdsearch.questions.answer import Answer
from kdsearch.questions.effect import judge
from kdsearch.questions.runs import KL
from kdsearch.questions.runs import Runs

ID, QUESTION = "objective", "Does the objective change the students' accuracy?"


def answer(runs: Runs) -> Answer:
    others = [name for name in runs.names() if name in SPECS and name != KL]
    others += [*runs.names("kl_t1"), *runs.names("kl=")]
    effects = {
        f"{_title(name)} over KL at temperature {TEMPERATURE.default:g}": runs.gains_by_count(name, KL)
        for name in others
    }
    return judge(runs, ID, QUESTION, effects, "the control kl and one of another objective or temperature")


def _title(name: str) -> str:
    return (
        f"KL at temperature {name.removeprefix('kl=').removeprefix('kl_t')}"
        if name.startswith("kl")
        else f"objective {name}"
    )
