"""One attempt's conversation with the ledger: what goes out next, and what is written when something comes back.

It knows nothing of Ray: the searcher and the scheduler that Tune calls hand everything here, so the same code runs
without a cluster. Order of what goes out: trials that an earlier attempt left behind, then controls, then searched
trials (interleaved over the sample counts, so that no study waits for another), then the confirmation of every sample
count whose studies are done.

A ledger that stays away for longer than is waited (`AwayError`) stops the attempt. What comes in after that is kept in
the spool, and told by the next attempt.
"""

from __future__ import annotations

import copy
import logging
from collections import Counter
from collections import deque
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Protocol

from kdsearch.config.schema import SweepConfig
from kdsearch.ledger import Kind
from kdsearch.ledger import Ledger
from kdsearch.ledger import Point
from kdsearch.ledger import Reason
from kdsearch.ledger import StudyRow
from kdsearch.ledger import TrialRecord
from kdsearch.ledger import TrialResult
from kdsearch.ledger import TrialState
from kdsearch.outage import AwayError
from kdsearch.search.advisor import Advisor
from kdsearch.search.clock import SearchClock
from kdsearch.search.pack import Judgement
from kdsearch.search.pack import Outcome
from kdsearch.search.pack import Pack
from kdsearch.search.pack import Slot
from kdsearch.search.pack import failed
from kdsearch.search.packing import Packing
from kdsearch.search.packing import can_share
from kdsearch.search.plan import FixedTrial
from kdsearch.search.plan import StudyPlan
from kdsearch.search.plan import confirm_plan
from kdsearch.search.plan import confirmations_per_count
from kdsearch.search.plan import control_plans
from kdsearch.search.plan import cost_metric
from kdsearch.search.plan import maximizes
from kdsearch.search.plan import search_plans
from kdsearch.search.space import Space
from kdsearch.search.spool import Spool
from kdsearch.search.transfer import Exchange
from kdsearch.seeds import derive_seed

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

logger = logging.getLogger(__name__)


class Observer(Protocol):
    """Whoever follows the trials of an attempt: the tracker, and the view on the screen."""

    def trial_started(self, record: TrialRecord) -> None: ...

    def trial_finished(self, record: TrialRecord, series: Sequence[Point]) -> None: ...

    def trial_suspended(self, record: TrialRecord) -> None: ...


TOO_MANY_FAILURES = "too many failures"


@dataclass
class Study:
    """A study in hand: its plan, its ledger row, its advisor where it searches, and what is left to do in it."""

    plan: StudyPlan
    row: StudyRow
    advisor: Advisor | None
    records: dict[int, TrialRecord]
    inherited: int = 0
    """How many trials of other generations of this study count as its own: they lie inside its space."""
    to_start: deque[FixedTrial] = field(init=False)
    unfinished: set[int] = field(init=False)
    dropped: int = field(init=False)
    """How many of its trials count for nothing."""

    def __post_init__(self) -> None:
        there = {_identity(record) for record in self.records.values() if not record.is_dropped}
        self.to_start = deque(trial for trial in self.plan.fixed if trial.identity not in there)
        self.unfinished = {number for number, record in self.records.items() if not record.state.is_finished}
        self.dropped = sum(record.is_dropped for record in self.records.values())

    @property
    def to_ask(self) -> int:
        """How many searched trials are still to be asked for."""
        return max(0, self.plan.searched - self.inherited - (len(self.records) - self.dropped))

    @property
    def target(self) -> int:
        """How many trials it is to have."""
        return len(self.records) + len(self.to_start) + self.to_ask

    def put(self, record: TrialRecord) -> None:
        self.records[record.number] = record
        (self.unfinished.discard if record.state.is_finished else self.unfinished.add)(record.number)


class Attempt:
    def __init__(
        self,
        ledger: Ledger,
        config: SweepConfig,
        number: int,
        spool: Spool,
        observers: Iterable[Observer] = (),
        clock: SearchClock | None = None,
    ) -> None:
        self.number = number
        self.clock = clock or SearchClock(config.time_budget)
        self.stop_reason: str | None = None
        self.failures: list[TrialRecord] = []
        """Trials that ended as FAIL in this attempt."""
        self.packing = Packing()
        """How many trials go out together."""
        self._ledger = ledger
        self._config = config
        self._spool = spool
        self._observers = tuple(observers)
        self._studies: dict[str, Study] = {}
        self._exchanges: dict[Kind, Exchange] = {}
        """Between the studies of a kind, which have one space; empty without transfer."""
        self._unconfirmed = list(config.sample_counts) if config.confirm.top_k else []
        """The sample counts whose confirmation is not planned yet."""
        self._set_aside = 0
        """How many trials are in studies that the sweep no longer has."""
        self._is_open = False
        self._out: dict[str, TrialRecord] = {}
        self._sendings: Counter[str] = Counter()
        """How often each trial went out."""
        self._left_behind: deque[TrialRecord] = deque()
        self._ready: deque[TrialRecord] = deque()
        """Started, and to go out next."""
        self._spooled = spool.outcomes()
        self._in_hand: Outcome | None = None

    def open(self) -> None:
        """Open every study and take up what earlier attempts left: finished but untold trials, orphans.

        The observers do not hear of it: they have the ledger.
        """
        for plan in (*control_plans(self._config), *search_plans(self._config)):
            self._open_study(plan)
        self._plan_confirmations()
        self._settle_other_studies()
        self._spool.forget(list(self._spooled))
        self._is_open = True

    def begin_search(self) -> None:
        """Data and teacher are ready: from now on the time counts towards `time_budget`."""
        if not self._is_search_over:
            self.clock.start()

    def _settle_other_studies(self) -> None:
        """What is under way in a study that the sweep no longer has is dropped; a confirmation's waits for its turn."""
        for row in self._ledger.studies(self._config.name):
            if row.name in self._studies:
                continue
            will_be_opened = row.kind is Kind.CONFIRM and row.sample_count in self._unconfirmed
            for record in self._ledger.study_trials(row):
                self._set_aside += not will_be_opened
                if record.state.is_finished or self._tell_if_untold(row, record):
                    continue
                if not will_be_opened:
                    self._drop(row, record)
                elif record.state is TrialState.RUNNING:
                    self._ledger.suspend_trial(row, record.number)

    def _drop(self, row: StudyRow, record: TrialRecord) -> TrialRecord:
        """End a trial that an earlier attempt left behind and the sweep no longer has; it counts as no failure."""
        result = failed(Reason.DROPPED, "the sweep was changed while it was under way, and no longer has it")
        dropped = self._ledger.finish_trial(self._config.name, row, record.number, result, ())
        for observer in self._observers if self._is_open else ():
            observer.trial_finished(dropped, ())
        return dropped

    def _open_study(self, plan: StudyPlan) -> None:
        """Open the study of `plan`: where its space was changed, its generation, and the other ones to end them."""
        if plan.space is None:
            self._add_study(plan)
            return
        space = plan.space.describe()
        rows = {row.name: row for row in self._ledger.studies(self._config.name)}
        spaces: dict[int, str | None] = {}
        while (row := rows.get(plan.generation(len(spaces) + 1).name)) is not None:
            spaces[len(spaces) + 1] = row.space
        # A space that the study has had before is that generation's again.
        current = max((number for number, its in spaces.items() if its in (space, None)), default=len(spaces) + 1)
        others = [
            self._add_study(replace(plan.generation(number), searched=0), its)
            for number, its in spaces.items()
            if number != current
        ]
        self._add_study(plan.generation(current), space, others)

    def _add_study(self, plan: StudyPlan, space: str | None = None, others: Sequence[Study] = ()) -> Study:
        row = self._ledger.open_study(plan.name, plan.kind, plan.sample_count, maximize=self._maximize, space=space)
        found = self._ledger.study_trials(row)
        if any([self._tell_if_untold(row, record) for record in found]):
            found = self._ledger.study_trials(row)
        records = {record.number: record for record in found}
        if plan.space is None:
            wanted = {trial.identity for trial in plan.fixed}
            for record in found:
                if not record.state.is_finished and _identity(record) not in wanted:
                    records[record.number] = self._drop(row, record)
        inherited = [] if plan.space is None else self._inherited(plan.space, others)
        advisor = self._make_advisor(plan, row, [trial for trial in inherited if trial.state.is_finished()])
        study = Study(plan, row, advisor, records, len(inherited))
        self._left_behind.extend(records[number] for number in sorted(study.unfinished))
        self._studies[plan.name] = study
        return study

    def _inherited(self, space: Space, others: Sequence[Study]) -> list[FrozenTrial]:
        """The trials of other generations that `space` could have given, as it would have given them."""
        found = []
        for study in others:
            for trial in self._ledger.frozen_trials(study.row):
                record = study.records[trial.number]
                params = space.params_of(record.recipe)
                if params is not None and not record.is_dropped:
                    adopted = copy.copy(trial)
                    adopted.params, adopted.distributions = params, space.distributions(params)
                    found.append(adopted)
        return found

    def _tell_if_untold(self, row: StudyRow, record: TrialRecord) -> bool:
        """Tell a trial that had finished when its driver died: the result is written but not told, or is spooled.

        Whether there was one to be told.
        """
        if record.state.is_finished:
            return False
        result = self._ledger.untold_result(row, record.number)
        if result is not None:
            self._ledger.tell(row, record.number, result)
        elif (kept := self._spooled.get(record.key)) is not None and kept.result is not None:
            self._ledger.finish_trial(self._config.name, row, record.number, kept.result, kept.series)
        else:
            return False
        return True

    def _make_advisor(self, plan: StudyPlan, row: StudyRow, seeds: Sequence[FrozenTrial]) -> Advisor | None:
        if plan.space is None:
            return None
        return Advisor(
            plan.name,
            plan.space,
            sampler=self._config.sampler,
            pruner=self._config.pruner,
            seed=self._config.seed,
            maximize=self._maximize,
            cost=cost_metric(self._config),
            history=self._ledger.frozen_trials(row),
            seeds=seeds,
            system_attrs=self._ledger.sampler_state(row),
            sample_count=plan.sample_count,
            exchange=self._exchanges.setdefault(plan.kind, Exchange()) if self._config.search.transfer else None,
        )

    @property
    def _maximize(self) -> bool:
        return maximizes(self._config.search.metric)

    # State

    @property
    def is_finished(self) -> bool:
        """Whether nothing is out and nothing will go out any more."""
        return not self._out and (self.stop_reason is not None or not self._has_more)

    @property
    def is_complete(self) -> bool:
        """Whether every trial that the config asks for is there and finished."""
        studies = self._studies.values()
        return not self._unconfirmed and not any(s.unfinished or s.to_start or s.to_ask for s in studies)

    @property
    def target(self) -> int:
        """How many trials the sweep has when it is complete, as far as is known: confirmations are planned late."""
        planned = sum(study.target for study in self._studies.values())
        return planned + self._set_aside + len(self._unconfirmed) * confirmations_per_count(self._config)

    @property
    def records(self) -> list[TrialRecord]:
        return [record for study in self._studies.values() for record in study.records.values()]

    @property
    def _has_more(self) -> bool:
        return (
            bool(self._left_behind or self._ready)
            or any(self._can_start(study) for study in self._studies.values())
            or any(self._is_search_done(n) for n in self._unconfirmed)
        )

    def _can_start(self, study: Study) -> bool:
        return bool(study.to_start) or (study.to_ask > 0 and not self.clock.is_used_up)

    def _is_search_done(self, sample_count: int) -> bool:
        """Whether controls and search of a sample count are at their end, or out of time."""
        return not any(
            study.unfinished or self._can_start(study)
            for study in self._studies.values()
            if study.plan.sample_count == sample_count and study.plan.kind is not Kind.CONFIRM
        )

    @property
    def _is_search_over(self) -> bool:
        return all(self._is_search_done(n) for n in self._config.sample_counts)

    # What goes out

    def next_pack(self) -> Pack | None:
        """The next pack to train; None when nothing can go out now (see `is_finished`)."""
        if self.stop_reason is not None:
            return None
        records: list[TrialRecord] = []
        try:
            record = self._next()
            room = 0 if record is None else self._room(record)
            while record is not None:
                self._out[record.key] = record
                self._sendings[record.key] += 1
                records.append(record)
                record = self._next_beside(records[0]) if len(records) < room else None
        except AwayError as error:
            self.stop(str(error))
        for record in records:
            for observer in self._observers:
                observer.trial_started(record)
        slots = tuple(self._slot(record) for record in records)
        return Pack(self.number, slots, self.packing.is_batched(slots[0].recipe.student)) if slots else None

    def _next(self) -> TrialRecord | None:
        if self._ready:
            return self._ready.popleft()
        if not self._left_behind:
            self._plan_confirmations()
        return self._continue_next() if self._left_behind else self._start_next()

    def _next_beside(self, first: TrialRecord) -> TrialRecord | None:
        """Another trial of the same study for the pack of `first`; None when there is none that fits."""
        record = self._next_of(self._studies[first.study])
        if record is not None and not (can_share(record) and record.recipe.student == first.recipe.student):
            self._ready.append(record)
            return None
        return record

    def _next_of(self, study: Study) -> TrialRecord | None:
        if self._ready:
            return None
        if self._left_behind:
            return self._continue_next() if self._left_behind[0].study == study.plan.name else None
        if study.to_start:
            return self._start_fixed(study)
        return self._start_searched(study) if self._can_start(study) else None

    def _room(self, record: TrialRecord) -> int:
        plan = self._studies[record.study].plan
        same = [study for study in self._studies.values() if study.plan.kind is plan.kind]
        available = sum(len(study.to_start) + study.to_ask for study in same) + len(self._left_behind) + 1
        searched = plan.searched if record.params else None
        return self.packing.room(record, self._replicates(record), available, searched)

    def _continue_next(self) -> TrialRecord:
        """Send out again what an earlier attempt, or a lost worker, left behind."""
        record = self._left_behind.popleft()
        study = self._studies[record.study]
        record = self._ledger.continue_trial(study.row, record, self.number)
        study.put(record)
        return record

    def _start_next(self) -> TrialRecord | None:
        for kind in (Kind.CONTROL, Kind.SEARCH, Kind.CONFIRM):
            studies = [s for s in self._studies.values() if s.plan.kind is kind and self._can_start(s)]
            if studies:
                study = min(studies, key=lambda study: len(study.records))
                return self._start_fixed(study) if study.to_start else self._start_searched(study)
        return None

    def _start_fixed(self, study: Study) -> TrialRecord:
        import optuna

        trial = study.to_start.popleft()
        # Confirmations of one replicate share seed and subset, so that differences between recipes are paired.
        stream = "search" if trial.replicate is None else f"confirm/{trial.replicate}"
        spec = {
            "recipe": trial.recipe.to_dict(),
            "control": trial.control,
            "confirms": trial.confirms,
            "replicate": trial.replicate,
            "seed": self._trial_seed(study, trial.replicate),
            "subset_seed": derive_seed(self._config.seed, "subset", stream),
        }
        frozen = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING)
        return self._start(study, spec, frozen)

    def _start_searched(self, study: Study) -> TrialRecord:
        assert study.advisor is not None
        before = study.advisor.system_attrs
        recipe, frozen = study.advisor.ask()
        for key, value in study.advisor.system_attrs.items():
            if before.get(key) != value:
                self._ledger.write_sampler_state(study.row, key, value)
        spec = {
            "recipe": recipe.to_dict(),
            "control": recipe.objective if study.plan.kind is Kind.CONTROL else None,
            "seed": self._trial_seed(study, None),
            "subset_seed": derive_seed(self._config.seed, "subset", "search"),
        }
        return self._start(study, spec, frozen)

    def _trial_seed(self, study: Study, replicate: int | None) -> int:
        """Derived from (sweep seed, study, trial number); a confirmation's from its replicate instead."""
        return derive_seed(self._config.seed, study.plan.name, len(study.records) if replicate is None else replicate)

    def _start(self, study: Study, spec: Mapping[str, object], frozen: FrozenTrial) -> TrialRecord:
        record = self._ledger.start_trial(study.row, len(study.records), spec, frozen, self.number)
        assert record.number == len(study.records), "one driver writes a sweep, so numbers are consecutive"
        study.put(record)
        return record

    def _slot(self, record: TrialRecord) -> Slot:
        confirms = record.kind is Kind.CONFIRM
        return Slot(
            key=record.key,
            study=record.study,
            number=record.number,
            sample_count=record.sample_count,
            recipe=record.recipe,
            sending=self._sendings[record.key],
            seed=record.seed,
            subset_seed=record.subset_seed,
            replicates=self._replicates(record),
            judged=record.kind is Kind.SEARCH and self._config.pruner != "none",
            on_test=confirms,
        )

    def _replicates(self, record: TrialRecord) -> int:
        return 1 if record.kind is Kind.CONFIRM else self._config.search.replicates

    # What comes back

    def judge(self, judgement: Judgement) -> bool:
        """Whether the trial is to be pruned at this decision point."""
        record = self._out.get(judgement.key)
        if record is None:
            return False
        study = self._studies[record.study]
        assert study.advisor is not None, "only searched trials are judged"
        decision, is_new = study.advisor.judge(record.number, judgement.step, judgement.value)
        if is_new:
            try:
                self._ledger.write_decision(study.row, record.number, decision)
            except AwayError as error:
                # The trial is being suspended; when it goes on it asks again.
                self.stop(str(error))
                return False
        return decision.prune

    def finish(self, outcome: Outcome) -> None:
        """Write how a slot ended. A message about a trial that is not out is one from the past, and ignored."""
        record = self._out.pop(outcome.key, None)
        if record is None:
            logger.warning("ignored a result of %s, which is not out", outcome.key)
        elif outcome.result is None:
            self._suspend(record)
        else:
            self._in_hand = outcome
            self._finish(record, outcome.result, outcome.series)
            self._in_hand = None

    def keep_in_hand(self) -> None:
        """Spool the result that is being written, because the ledger does not answer."""
        if self._in_hand is not None and self._in_hand.key not in self._spooled:
            self._spooled[self._in_hand.key] = self._in_hand
            self._spool.keep(self._in_hand)

    def lose(self, key: str, error: str, *, blame: bool) -> None:
        """A worker died with trial `key`. It goes out again, until it was to blame more than `max_restarts` times."""
        record = self._out.pop(key, None)
        if record is None:
            return
        if blame and record.restarts >= self._config.max_restarts:
            message = f"took its worker down {record.restarts + 1} times; the last time: {error}"
            self._finish(record, failed(Reason.CRASHED, message), ())
            return
        logger.warning("%s lost its worker and will be sent out again: %s", key, error)
        study = self._studies[record.study]
        try:
            record = self._ledger.count_interruption(study.row, record, blame=blame)
        except AwayError as away:
            self.stop(str(away))
        study.put(record)
        self._left_behind.append(record)

    def take_back(self, key: str) -> None:
        """Trial `key` was checkpointed and has left a node that is about to be taken away; it goes out again."""
        record = self._out.pop(key, None)
        if record is not None:
            self._left_behind.append(record)

    def stop(self, reason: str) -> None:
        """Send nothing out any more; the first reason stays."""
        self.stop_reason = self.stop_reason or reason

    def abandon(self, reason: str) -> None:
        """Stop, and write nothing more about what is out: the sweep is another driver's now."""
        self.stop(reason)
        self._out.clear()
        self._ready.clear()
        self._left_behind.clear()

    def suspend_all(self) -> None:
        """Put whatever is still out, or was to go out next, back to WAITING: its workers are gone."""
        self.clock.stop()
        left_running = [record for record in self._left_behind if record.state is TrialState.RUNNING]
        for record in [*self._out.values(), *self._ready, *left_running]:
            self._suspend(record)
        self._out.clear()
        self._ready.clear()
        self._left_behind.clear()

    def _suspend(self, record: TrialRecord) -> None:
        study = self._studies[record.study]
        try:
            study.put(self._ledger.suspend_trial(study.row, record.number))
        except AwayError as error:
            # The next attempt takes it up as a trial that was left RUNNING.
            self.stop(str(error))
            return
        for observer in self._observers:
            observer.trial_suspended(record)

    def _finish(self, record: TrialRecord, result: TrialResult, series: Sequence[Point]) -> None:
        study = self._studies[record.study]
        try:
            finished = self._ledger.finish_trial(self._config.name, study.row, record.number, result, series)
        except AwayError as error:
            self.stop(str(error))
            self.keep_in_hand()
            return
        if record.key in self._spooled:
            self._spool.forget([record.key])
        study.put(finished)
        if study.advisor is not None:
            study.advisor.tell(record.number, result)
        if finished.state is TrialState.FAIL:
            self._count_failure(finished)
        for observer in self._observers:
            observer.trial_finished(finished, series)
        if self._is_search_over:
            self.clock.stop()

    def _count_failure(self, record: TrialRecord) -> None:
        self.failures.append(record)
        limit = self._config.max_failed_trials
        if limit is not None and len(self.failures) > limit:
            self.stop(TOO_MANY_FAILURES)

    def _plan_confirmations(self) -> None:
        """Open the confirmation of every sample count whose controls and search are done."""
        for n in [n for n in self._unconfirmed if self._is_search_done(n)]:
            plan = confirm_plan(self._config, n, self.records)
            if plan is not None:
                self._open_study(plan)
            self._unconfirmed.remove(n)


def _identity(record: TrialRecord) -> tuple[str | None, str | None, int | None]:
    """Which of a plan's fixed trials it is."""
    return (record.control, record.confirms, record.replicate)
