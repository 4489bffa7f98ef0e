from __future__ import annotations

import random
from collections.abc import Sequence

import optuna
import pytest
from optuna.distributions import BaseDistribution
from optuna.distributions import FloatDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe.sampler import _split_trials
from optuna.study import Study
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from kdsearch.search.window import BEST
from kdsearch.search.window import Best
from kdsearch.search.window import Window

ONE = [StudyDirection.MAXIMIZE]
TWO = [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]


def trial(values: Sequence[float] | None, state: TrialState = TrialState.COMPLETE) -> FrozenTrial:
    distributions: dict[str, BaseDistribution] = {"x": FloatDistribution(0, 1)}
    return optuna.trial.create_trial(state=state, values=values, params={"x": 0.5}, distributions=distributions)


def make_study(directions: Sequence[StudyDirection], count: int, seed: int = 0) -> Study:
    """Coarse values, so that many are equal; some trials pruned, failed or running."""
    chance = random.Random(seed)
    study = optuna.create_study(directions=directions, storage=optuna.storages.InMemoryStorage())
    for _ in range(count):
        state = chance.choices(list(TrialState), weights=[1, 20, 3, 2, 0])[0]
        values = [round(chance.gauss(0, 1), 1) for _ in directions] if state is TrialState.COMPLETE else None
        study.add_trial(trial(values, state))
    return study


def window_of(study: Study, newest: int, seed: int = 0) -> Window:
    """The trials are shown in random order."""
    window = Window(study.study_name, study._storage, newest)
    for shown in random.Random(seed).sample(study.trials, len(study.trials)):
        window.take(shown)
    return window


@pytest.mark.parametrize("directions", [ONE, TWO])
def test_the_good_trials_are_the_ones_that_tpe_takes_of_the_whole_history(directions: Sequence[StudyDirection]) -> None:
    study = make_study(directions, 600)
    window = window_of(study, newest=100)
    window.ask()
    observed = (TrialState.COMPLETE, TrialState.PRUNED)
    whole = study.get_trials(deepcopy=False, states=observed)
    seen = window._get_trials(deepcopy=False, states=observed)
    assert len(seen) < len(whole) / 2
    below = [_split_trials(study, list(trials), BEST)[0] for trials in (whole, seen)]
    assert len(below[0]) == BEST
    assert [t.values for t in below[0]] == [t.values for t in below[1]]


def test_of_the_others_the_newest_are_seen_and_all_that_run() -> None:
    study = make_study(ONE, 400)
    window = window_of(study, newest=100)
    asked = window.ask()
    seen = window._get_trials(deepcopy=False)
    numbers = [t.number for t in seen]
    assert numbers == sorted(numbers) and numbers[-1] == asked.number
    running = {t.number for t in study.trials if t.state is TrialState.RUNNING}
    assert running <= set(numbers)
    best = window._best.numbers
    others = [
        t.number for t in study.trials if t.number not in best and t.state in (TrialState.COMPLETE, TrialState.PRUNED)
    ]
    assert set(others[-100:]) == set(numbers) - running - best


@pytest.mark.parametrize("directions", [ONE, TWO])
def test_what_is_seen_depends_on_which_trials_there_are_alone(directions: Sequence[StudyDirection]) -> None:
    seen = []
    for order in range(4):
        study = make_study(directions, 400)
        window = window_of(study, newest=50, seed=order)
        window.ask()
        seen.append([t.number for t in window._get_trials()])
    assert all(numbers == seen[0] for numbers in seen)


def test_a_short_history_is_seen_whole() -> None:
    study = make_study(TWO, 100)
    window = window_of(study, newest=100)
    window.ask()
    assert window._get_trials(deepcopy=False) == study.get_trials(deepcopy=False)


def test_the_best_are_those_that_few_others_are_better_than() -> None:
    study = make_study(TWO, 500, seed=3)
    best = Best(TWO)
    complete = [t for t in study.trials if t.state is TrialState.COMPLETE]
    for one in complete:
        best.add(one)
    expected = set()
    for one in complete:
        rank = (-one.values[0], one.values[1])
        better = 0
        for other in complete:
            theirs = (-other.values[0], other.values[1])
            as_good = theirs[0] <= rank[0] and theirs[1] <= rank[1]
            better += as_good and (theirs != rank or other.number < one.number)
        if better < BEST:
            expected.add(one.number)
    assert best.numbers == expected


def test_tpe_asks_of_a_window_what_it_would_ask_of_the_whole_while_that_is_short() -> None:
    answers = []
    for newest in (1000, 40):
        study = optuna.create_study(directions=ONE, storage=optuna.storages.InMemoryStorage())
        window = Window(study.study_name, study._storage, newest)
        values = []
        for number in range(65):
            window.sampler = TPESampler(seed=number, multivariate=True, group=True)
            asked = window.ask()
            values.append(asked.suggest_float("x", 0, 1))
            window.take(study.tell(asked.number, -abs(values[-1] - 0.3)))
        answers.append(values)
    assert answers[0] == answers[1]
