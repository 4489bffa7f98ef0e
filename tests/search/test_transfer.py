from __future__ import annotations

import random
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from statistics import fmean
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as State

from kdsearch.ledger import Kind
from kdsearch.ledger import TrialRecord
from kdsearch.ledger import TrialResult
from kdsearch.ledger import TrialState
from kdsearch.search.advisor import Advisor
from kdsearch.search.packing import Packing
from kdsearch.search.space import Space
from kdsearch.search.space import search_space
from kdsearch.search.transfer import TRANSFER_ATTR
from kdsearch.search.transfer import Exchange
from kdsearch.search.transfer import as_one_study
from kdsearch.search.transfer import normal_scores
from kdsearch.search.transfer import scored
from tests.search.simulation import make_config
from tests.search.simulation import make_ledger
from tests.search.simulation import open_attempt
from tests.search.simulation import outline
from tests.search.simulation import run_to_end
from tests.simulation.cluster import Cluster

X: dict[str, BaseDistribution] = {"x": FloatDistribution(0, 1)}
NO_CONFIRMATION: dict[str, Any] = {"confirm": {"top_k": 0}}


def trial(values: Sequence[float] | None, steps: dict[int, float], state: State = State.COMPLETE) -> FrozenTrial:
    return optuna.trial.create_trial(
        state=state, values=values, params={"x": 0.5}, distributions=X, intermediate_values=steps
    )


def some_trials(seed: int, offset: float = 0.0) -> list[FrozenTrial]:
    """Coarse values, so that many are equal."""
    chance = random.Random(seed)
    found = []
    for _ in range(60):
        state = chance.choice([State.COMPLETE, State.COMPLETE, State.PRUNED, State.RUNNING])
        steps = {step: offset + round(chance.gauss(0, 1), 1) for step in (1, 2, 4)[: chance.randint(1, 3)]}
        found.append(trial([offset + round(chance.gauss(0, 1), 1)] if state is State.COMPLETE else None, steps, state))
    return found


def test_normal_scores_are_quantiles_at_the_ranks() -> None:
    values = [3.0, 1.0, 2.0, 2.0, 9.0]
    ranks = [fmean([sum(o < v for o in values) + 1, sum(o <= v for o in values)]) for v in values]
    expected = [NormalDist().inv_cdf((rank - 0.5) / 5) for rank in ranks]
    assert normal_scores(values) == pytest.approx(expected)
    assert normal_scores([7.0]) == [0.0]


def test_scores_keep_the_order_within_a_study_and_leave_its_trials_alone() -> None:
    trials = some_trials(0)
    before = [(t.values, dict(t.intermediate_values)) for t in trials]
    seen = scored(trials)
    assert [(t.values, dict(t.intermediate_values)) for t in trials] == before
    for old, new in zip(trials, seen, strict=True):
        assert (new.params, new.state, new.number) == (old.params, old.state, old.number)
        assert set(new.intermediate_values) == set(old.intermediate_values)
        assert (new is old) == (old.state is State.RUNNING)
    finished = [(old, new) for old, new in zip(trials, seen, strict=True) if old.state is not State.RUNNING]
    pairs = [[(o.value, n.value) for o, n in finished if o.state is State.COMPLETE]]
    pairs += [
        [(o.intermediate_values[s], n.intermediate_values[s]) for o, n in finished if s in o.intermediate_values]
        for s in (1, 2, 4)
    ]
    for of_one_kind in pairs:
        assert len(of_one_kind) > 5
        for old_a, new_a in of_one_kind:
            assert all((old_a < old_b) == (new_a < new_b) for old_b, new_b in of_one_kind)  # type: ignore[operator]


def test_how_good_the_scores_of_a_count_are_does_not_matter() -> None:
    low, high = ([t for t in scored(some_trials(0, offset)) if t.state is not State.RUNNING] for offset in (0.0, 50.0))
    assert [(t.values, t.intermediate_values) for t in low] == [(t.values, t.intermediate_values) for t in high]


def test_the_nearest_count_is_seen_last_of_the_others_and_before_the_own_trials() -> None:
    exchange = Exchange()

    def lender(n: int) -> Callable[[int], list[FrozenTrial]]:
        return lambda studies: [trial([float(n)], {})] * studies

    for n in (400, 20, 110, 50, 5000):
        exchange.join(n, lender(n))
    assert list(exchange.lent_to(50)) == [400, 20, 110]
    assert list(exchange.lent_to(20)) == [400, 110, 50]
    lent = exchange.lent_to(20)
    assert [len(trials) for trials in lent.values()] == [4, 4, 4], "each is told how many studies there are"
    own = some_trials(0)
    seen = as_one_study(lent, own)
    assert [t.number for t in seen] == list(range(72)) and {t.number for t in own} == {-1}
    assert [t.values for t in seen[12:]] == [t.values for t in scored(own)]
    assert Exchange().lent_to(20) == {}


def space() -> Space:
    return search_space(make_config().search_space)


def advisor(n: int, exchange: Exchange | None, sampler: str = "tpe", pruner: str = "none") -> Advisor:
    return Advisor(
        f"sim/n={n}",
        space(),
        sampler=sampler,
        pruner=pruner,
        seed=0,
        maximize=True,
        sample_count=n,
        exchange=exchange,
    )


def search(asked: Advisor, trials: int, best_alpha: float, offset: float = 0.0) -> None:
    for number in range(trials):
        recipe, _ = asked.ask()
        asked.tell(number, TrialResult(TrialState.COMPLETE, offset - abs(recipe.alpha - best_alpha), {}))


@pytest.mark.parametrize(("sampler", "at_most"), [("tpe", 0.5), ("gp", 0.9)])
def test_a_study_starts_from_what_its_neighbour_learned(sampler: str, at_most: float) -> None:
    """Whose accuracies are of another size: a study of its own would take all of them for better than its own."""
    misses = {}
    for exchange in (None, Exchange()):
        search(advisor(50, exchange, sampler), 40, best_alpha=0.9, offset=30.0)
        fresh = advisor(100, exchange, sampler)
        miss = []
        for number in range(8):
            recipe, row = fresh.ask()
            miss.append(abs(recipe.alpha - 0.9))
            fresh.tell(number, TrialResult(TrialState.COMPLETE, 1 - miss[-1], {}))
            assert row.system_attrs.get(TRANSFER_ATTR) == (None if exchange is None else {"50": 40})
        misses[exchange is None] = fmean(miss)
    assert misses[False] < at_most * misses[True]


def test_a_sampler_that_does_not_learn_from_what_it_is_shown_is_lent_nothing() -> None:
    asked = {}
    for exchange in (None, Exchange()):
        search(advisor(50, exchange, "random"), 5, best_alpha=0.9)
        asked[exchange is None] = [advisor(100, exchange, "random").ask()[0] for _ in range(3)]
    assert asked[True] == asked[False]


def test_a_pruner_compares_with_its_own_study_alone() -> None:
    verdicts: dict[bool, list[bool]] = {}
    for exchange in (None, Exchange()):
        better = advisor(50, exchange, pruner="median")
        for number in range(20):
            better.ask()
            better.judge(number, 1, 0.9)
            better.tell(number, TrialResult(TrialState.COMPLETE, 0.9, {}))
        own = advisor(100, exchange, pruner="median")
        values = [0.1, 0.3, 0.2, 0.5, 0.4, 0.35, 0.05, 0.6]
        verdicts[exchange is None] = []
        for number, value in enumerate(values):
            own.ask()
            decision, _ = own.judge(number, 1, value)
            verdicts[exchange is None].append(decision.prune)
            state = TrialState.PRUNED if decision.prune else TrialState.COMPLETE
            own.tell(number, TrialResult(state, value, {}))
    assert verdicts[True] == verdicts[False] and set(verdicts[True]) == {True, False}


def rows_of(trials: Sequence[TrialRecord], study: str) -> list[TrialRecord]:
    return [trial for trial in trials if trial.study == study]


def test_rows_say_what_they_learned_from_and_studies_of_another_kind_are_apart(tmp_path: Path) -> None:
    """With training keys searched, labels-only is searched too: its studies lend to each other alone."""
    parameters = {"alpha": {"low": 0.5, "high": 1}, "learning_rate": {"low": 0.01, "high": 0.1, "log": True}}
    config = make_config(search={"transfer": True}, search_space={"parameters": parameters}, **NO_CONFIRMATION)
    ledger = make_ledger(tmp_path, config)
    run_to_end(ledger, config)
    noted: dict[str, list[Any]] = {}
    for study in ledger.studies("sim"):
        noted[study.name] = [t.system_attrs.get(TRANSFER_ATTR) for t in ledger.frozen_trials(study)]
    for kind in ("", "controls/labels/"):
        assert noted[f"sim/{kind}n=20"] == [None, *({"50": i} for i in range(1, 12))]
        assert noted[f"sim/{kind}n=50"] == [{"20": i} for i in range(1, 13)]


@pytest.mark.parametrize("changes", [{}, {"pruner": "successive_halving"}, {"sampler": "gp", "pruner": "median"}])
def test_kills_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    # Small windows, so that the history outgrows them.
    monkeypatch.setattr("kdsearch.search.advisor.NEWEST", {"tpe": 15, "gp": 6})
    monkeypatch.setattr("kdsearch.search.window.BEST", 3)
    config = make_config(search={"transfer": True}, sample_counts=[20, 50, 100], trials_per_count=16, **changes)
    outlines = []
    for kills in (0, 12):
        folder = tmp_path / str(kills)
        folder.mkdir()
        ledger = make_ledger(folder, config)
        run_to_end(ledger, config, kills=kills)
        noted = [
            t.system_attrs.get(TRANSFER_ATTR)
            for study in ledger.studies("sim")
            if study.kind is Kind.SEARCH
            for t in ledger.frozen_trials(study)
        ]
        outlines.append((outline(ledger), noted))
    assert outlines[0] == outlines[1]
    assert max(sum(lent.values()) for lent in outlines[0][1] if lent) < 2 * 15, "no more than the window lets through"


def test_a_new_generation_lends_what_it_took_over_and_no_more(tmp_path: Path) -> None:
    before = make_config(search={"transfer": True}, **NO_CONFIRMATION)
    ledger = make_ledger(tmp_path, before)
    run_to_end(ledger, before)
    narrow = {"parameters": {"alpha": {"low": 0.5, "high": 0.8}}}
    first = rows_of(ledger.trials("sim"), "sim/n=50")
    inside = [t for t in first if t.recipe.objective == "kl" and t.recipe.alpha <= 0.8]
    after = make_config(search={"transfer": True}, search_space=narrow, trials_per_count=16, **NO_CONFIRMATION)
    run_to_end(ledger, after)
    rows = {study.name: ledger.frozen_trials(study) for study in ledger.studies("sim")}
    second = rows["sim/n=20/g2"]
    assert second and len(inside) < len(first)
    lent = [t.system_attrs.get(TRANSFER_ATTR, {}).get("50", 0) for t in second]
    assert lent[0] <= len(inside) and lent == sorted(lent) and lent[-1] <= 16


def test_a_sample_count_that_comes_later_learns_from_those_that_are_done(tmp_path: Path) -> None:
    before = make_config(search={"transfer": True}, sample_counts=[20, 50], **NO_CONFIRMATION)
    ledger = make_ledger(tmp_path, before)
    run_to_end(ledger, before)
    after = make_config(search={"transfer": True}, sample_counts=[20, 50, 100], **NO_CONFIRMATION)
    run_to_end(ledger, after)
    (study,) = [study for study in ledger.studies("sim") if study.name == "sim/n=100"]
    rows = ledger.frozen_trials(study)
    assert [t.system_attrs[TRANSFER_ATTR] for t in rows] == [{"20": 12, "50": 12}] * 12


def test_packs_learn_from_other_counts_too(tmp_path: Path) -> None:
    config = make_config(search={"transfer": True}, trials_per_count=40, pruner="successive_halving", **NO_CONFIRMATION)
    ledger = make_ledger(tmp_path, config)
    attempt = open_attempt(ledger, config, 1)
    attempt.packing = Packing({None: 8}, slots=2)
    Cluster(attempt, workers=16).run()
    assert attempt.is_complete
    for study in ledger.studies("sim"):
        if study.kind is Kind.SEARCH:
            last = ledger.frozen_trials(study)[-1]
            assert sum(last.system_attrs[TRANSFER_ATTR].values()) > 10
