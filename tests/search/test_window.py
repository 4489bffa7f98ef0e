from __future__ import annotations

import random
from collections.abc import Iterable
from collections.abc import Sequence

import optuna
import pytest
from optuna.distributions import BaseDistribution
from optuna.distributions import FloatDistribution
from optuna.samplers._tpe.sampler import _split_trials
from optuna.study import Study
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from kdsearch.search.window import BEST
from kdsearch.search.window import Best
from kdsearch.search.window import Mirror
from kdsearch.search.window import Window

ONE = [StudyDirection.MAXIMIZE]
TWO = [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
OBSERVED = (TrialState.COMPLETE, TrialState.PRUNED)


def trial(values: Sequence[float] | None, state: TrialState = TrialState.COMPLETE) -> FrozenTrial:
    distributions: dict[str, BaseDistribution] = {"x": FloatDistribution(0, 1)}
    return optuna.trial.create_trial(state=state, values=values, params={"x": 0.5}, distributions=distributions)


def make_study(directions: Sequence[StudyDirection], count: int, seed: int = 0) -> Study:
    """Coarse values, so that many are equal; some trials pruned, failed or running."""
    chance = random.Random(seed)
    study = optuna.create_study(directions=directions, storage=Mirror())
    for _ in range(count):
        state = chance.choices(list(TrialState), weights=[1, 20, 3, 2, 0])[0]
        values = [round(chance.gauss(0, 1), 1) for _ in directions] if state is TrialState.COMPLETE else None
        study.add_trial(trial(values, state))
    return study


def window_of(study: Study, seed: int = 0) -> Window:
    """The trials are taken in random order."""
    window = Window(study.directions)
    for taken in random.Random(seed).sample(study.trials, len(study.trials)):
        window.take(taken)
    return window


def shown(study: Study, numbers: Sequence[int] | None) -> list[FrozenTrial]:
    storage = study._storage
    assert isinstance(storage, Mirror)
    with storage.showing(numbers):
        return study.get_trials(deepcopy=False)


def numbers_of(trials: Iterable[FrozenTrial], *states: TrialState) -> list[int]:
    return [t.number for t in trials if t.state in states]


@pytest.mark.parametrize("directions", [ONE, TWO])
def test_the_good_trials_are_the_ones_that_tpe_takes_of_the_whole_history(directions: Sequence[StudyDirection]) -> None:
    study = make_study(directions, 600)
    whole = [t for t in study.get_trials(deepcopy=False) if t.state in OBSERVED]
    seen = [t for t in shown(study, window_of(study).for_sampler(600, newest=100)) if t.state in OBSERVED]
    assert len(seen) < len(whole) / 2
    below = [_split_trials(study, list(trials), BEST)[0] for trials in (whole, seen)]
    assert len(below[0]) == BEST
    assert [t.values for t in below[0]] == [t.values for t in below[1]]


def test_of_the_others_the_newest_are_seen_and_all_that_run() -> None:
    study = make_study(ONE, 400)
    window = window_of(study)
    best = window._best.numbers
    finished = numbers_of(study.trials, *OBSERVED)
    running = numbers_of(study.trials, TrialState.RUNNING)
    others = [number for number in finished if number not in best]
    assert window.for_sampler(400, newest=100) == sorted({*best, *others[-100:], *running, 400})
    assert window.for_pruner(newest=100) == sorted({*finished[-100:], *running})


@pytest.mark.parametrize("directions", [ONE, TWO])
def test_what_is_seen_depends_on_which_trials_there_are_alone(directions: Sequence[StudyDirection]) -> None:
    windows = [window_of(make_study(directions, 400), seed) for seed in range(4)]
    assert all(window.for_sampler(400, 50) == windows[0].for_sampler(400, 50) for window in windows)
    assert all(window.for_pruner(50) == windows[0].for_pruner(50) for window in windows)


def test_a_short_history_is_seen_whole() -> None:
    study = make_study(TWO, 100)
    window = window_of(study)
    assert window.for_sampler(100, newest=100) is None and window.for_pruner(newest=100) is None
    assert window_of(make_study(ONE, 400)).for_sampler(400, newest=None) is None
    assert shown(study, None) == study.get_trials(deepcopy=False)


def test_a_trial_that_is_asked_for_meanwhile_is_seen_too() -> None:
    study = make_study(ONE, 400)
    numbers = window_of(study).for_sampler(400, newest=50)
    assert isinstance(study._storage, Mirror)
    with study._storage.showing(numbers):
        assert study.ask().number == 400
        assert study.get_trials(deepcopy=False)[-1].number == 400
    assert len(study.trials) == 401


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
