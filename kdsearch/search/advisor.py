"""The in-memory Optuna study that advises one study of the ledger: what to try next, what to prune.

It mirrors the ledger's rows by number. Sampling against memory needs no commit per parameter, and the ledger's row is
written whole, in one commit, from what the mirror answered. Each answer depends on the history and on a seed derived
from (sweep seed, study, trial number), so a resumed sweep asks what an uninterrupted one would have asked.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.ledger import TrialResult
from kdsearch.ledger.ledger import Decision
from kdsearch.ledger.ledger import decisions_of
from kdsearch.ledger.ledger import result_of
from kdsearch.recipe import Recipe
from kdsearch.search.space import Space
from kdsearch.search.strategy import make_pruner
from kdsearch.search.strategy import make_sampler
from kdsearch.search.transfer import LEARNERS
from kdsearch.search.transfer import TRANSFER_ATTR
from kdsearch.search.transfer import Exchange
from kdsearch.search.transfer import as_one_study
from kdsearch.seeds import derive_seed

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


NEWEST = {"tpe": 225, "gp": 100}
"""How many trials besides the best a sampler looks at: one whose own cost grows with them."""

PEERS = 300
"""How many finished trials a running one is compared with by a pruner: the newest."""


class Advisor:
    def __init__(
        self,
        study: str,
        space: Space,
        *,
        sampler: str,
        pruner: str,
        seed: int,
        maximize: bool,
        cost: str | None = None,
        history: Sequence[FrozenTrial] = (),
        seeds: Sequence[FrozenTrial] = (),
        system_attrs: Mapping[str, Any] | None = None,
        sample_count: int = 0,
        exchange: Exchange | None = None,
    ) -> None:
        """
        Args:
            cost: a final metric that is to be small beside the value, for the best of every cost.
            history: the study's own rows.
            seeds: finished trials of its earlier generations, in its space.
            exchange: with the studies of other sample counts, which this one joins; None learns from nobody.
        """
        import optuna
        from optuna.study import StudyDirection

        from kdsearch.search.window import Mirror
        from kdsearch.search.window import Window

        own = StudyDirection.MAXIMIZE if maximize else StudyDirection.MINIMIZE
        self._name = study
        self._space = space
        self._sampler = sampler
        self._seed = seed
        self._cost = cost
        self._storage = Mirror()
        self._study = optuna.create_study(
            storage=self._storage,
            study_name=study,
            directions=[own, StudyDirection.MINIMIZE] if cost else [own],
            pruner=make_pruner(pruner),
        )
        self._window = Window(self._study.directions)
        for key, value in (system_attrs or {}).items():
            self._storage.set_study_system_attr(self._study._study_id, key, value)
        self._first = len(seeds)
        """The mirror's number of the study's trial 0."""
        for trial in seeds:
            self._add(trial, decisions_of(trial))
        self._decisions = {trial.number: decisions_of(trial) for trial in history}
        for trial in history:
            self._add(trial, self._decisions[trial.number])
        self._sample_count = sample_count
        self._exchange = exchange if sampler in LEARNERS else None
        if self._exchange is not None:
            self._exchange.join(sample_count, self._lend)

    @property
    def system_attrs(self) -> dict[str, Any]:
        """The study's own state, which some samplers keep (where a quasi-random sequence stands)."""
        return self._storage.get_study_system_attrs(self._study._study_id)

    def ask(self) -> tuple[Recipe, FrozenTrial]:
        """The next trial: its recipe, and the row to write to the ledger."""
        import optuna

        asked = self._storage.get_n_trials(self._study._study_id)
        seed = derive_seed(self._seed, self._name, asked - self._first, "ask")
        lent = {} if self._exchange is None else self._exchange.lent_to(self._sample_count)
        with warnings.catch_warnings(), self._showing(asked, lent):
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study.sampler = make_sampler(self._sampler, seed, derive_seed(self._seed, self._name))
            trial = self._study.ask()
            recipe = self._space.suggest(trial)
        frozen = self._storage.get_trial(trial._trial_id)
        self._window.take(frozen)
        row = optuna.trial.create_trial(
            state=optuna.trial.TrialState.RUNNING,
            params=frozen.params,
            distributions=frozen.distributions,
            system_attrs=frozen.system_attrs | _noted(lent),
        )
        return recipe, row

    def _showing(self, asked: int, lent: Mapping[int, Sequence[FrozenTrial]]) -> AbstractContextManager[None]:
        """What the sampler looks at while trial `asked` is made."""
        if not lent or self._exchange is None:
            return self._storage.showing(self._shown(asked, studies=1))
        own = self._storage.of_numbers(self._study._study_id, self._shown(asked, self._exchange.size))
        return self._storage.showing_instead(as_one_study(lent, own))

    def _shown(self, asked: int, studies: int) -> Sequence[int] | None:
        """What a sampler that looks at so many studies sees of this one: together they cost what one alone would."""
        newest = NEWEST.get(self._sampler)
        return self._window.for_sampler(asked, None if newest is None else newest // studies)

    def _lend(self, studies: int) -> list[FrozenTrial]:
        """What the sampler of another study sees of this one."""
        import optuna

        own = self._study._study_id
        trials = self._storage.of_numbers(own, self._shown(self._storage.get_n_trials(own), studies))
        seen = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
        return [trial for trial in trials if trial.state in seen]

    def judge(self, number: int, step: int, value: float) -> tuple[Decision, bool]:
        """Whether trial `number`, at `value` after decision `step`, is to be pruned; and whether that was decided now.

        A trial that was judged at this step before (it is being trained again from an older checkpoint) gets the same
        answer: what the others have reached since must not count.
        """
        for decision in self._decisions.get(number, ()):
            if decision.step == step:
                return decision, False
        trial_id = self._trial_id(number)
        before = self._storage.get_trial(trial_id).system_attrs
        self._storage.set_trial_intermediate_value(trial_id, step, value)
        with self._storage.showing(self._window.for_pruner(PEERS)):
            prune = bool(self._study.pruner.prune(self._study, self._storage.get_trial(trial_id)))
        after = self._storage.get_trial(trial_id).system_attrs
        decision = Decision(step, value, prune, {key: v for key, v in after.items() if before.get(key) != v})
        self._decisions.setdefault(number, []).append(decision)
        return decision, True

    def tell(self, number: int, result: TrialResult) -> None:
        import optuna

        state = optuna.trial.TrialState[result.state.value]
        # A pruned trial's value is its last judgement, which Optuna has already.
        values = None
        if state is optuna.trial.TrialState.COMPLETE and result.value is not None:
            values = self._values(result.value, result.metrics)
        told = self._study.tell(self._first + number, values, state=state, skip_if_finished=True)
        self._window.take(told)

    def _add(self, trial: FrozenTrial, decisions: Sequence[Decision]) -> None:
        trial_id = self._storage.create_new_trial(self._study._study_id, self._mirrored(trial, decisions))
        self._window.take(self._storage.get_trial(trial_id))

    def _values(self, value: float, metrics: Mapping[str, float] | None) -> list[float]:
        return [value] if self._cost is None else [value, (metrics or {})[self._cost]]

    def _trial_id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, self._first + number)

    def _mirrored(self, trial: FrozenTrial, decisions: Sequence[Decision]) -> FrozenTrial:
        """The ledger's row as the mirror holds it, with the decisions that were taken on it.

        One to be continued is RUNNING: the sampler must count it as pending, and Optuna would hand out a waiting one.
        """
        import optuna

        waiting = trial.state is optuna.trial.TrialState.WAITING
        values = trial.values
        if trial.state is optuna.trial.TrialState.COMPLETE and trial.value is not None:
            result = result_of(trial)
            values = self._values(trial.value, result.metrics if result is not None else None)
        return optuna.trial.create_trial(
            state=optuna.trial.TrialState.RUNNING if waiting else trial.state,
            values=values,
            params=trial.params,
            distributions=trial.distributions,
            system_attrs=trial.system_attrs
            | {k: v for decision in decisions for k, v in decision.system_attrs.items()},
            intermediate_values={decision.step: decision.value for decision in decisions},
        )


def _noted(lent: Mapping[int, Sequence[FrozenTrial]]) -> dict[str, Any]:
    return {TRANSFER_ATTR: {str(n): len(trials) for n, trials in lent.items()}} if lent else {}
