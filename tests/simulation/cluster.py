"""Virtual workers that train what an attempt sends out, on a virtual clock.

The attempt, its advisors, pruners, ledger and observers are the real ones; they are called as Ray Tune's side calls
them (`kdsearch.search.tuning`), messages encoded and decoded as they travel. Only the students are made up.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from typing import Protocol
from typing import TypeVar

from kdsearch.ledger import Point
from kdsearch.ledger import TrialResult
from kdsearch.ledger import TrialState
from kdsearch.search.attempt import Attempt
from kdsearch.search.pack import Judgement
from kdsearch.search.pack import Outcome
from kdsearch.search.pack import Pack
from kdsearch.search.pack import Slot
from kdsearch.search.pack import decode_message
from kdsearch.search.pack import encode_message
from kdsearch.search.strategy import DECISION_STEPS
from tests.simulation.curves import curve
from tests.simulation.curves import scored_on_test

T = TypeVar("T")


class Curve(Protocol):
    """One student's life: what it reaches at every share (0 to 1) of its training, which takes `seconds`."""

    @property
    def seconds(self) -> float: ...

    def accuracy(self, share: float) -> float: ...

    def metrics(self, share: float) -> dict[str, float]: ...

    def points(self, started: float, until: float) -> tuple[Point, ...]: ...


class Killed(Exception):
    """The driver died: whatever it held is lost."""


@dataclass
class Costs:
    """What the driver spent: wall and processor time of this thread, in seconds."""

    wall: float = 0.0
    cpu: float = 0.0

    def charge(self, since: tuple[float, float]) -> None:
        self.wall += time.perf_counter() - since[0]
        self.cpu += time.thread_time() - since[1]


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.thread_time()


@dataclass(order=True)
class _Event:
    """A slot has reached `share` of its training. Of equal times the one that was planned first comes first."""

    time: float
    order: int
    slot: Slot = field(compare=False)
    curve: Curve = field(compare=False)
    started: float = field(compare=False)
    share: float = field(compare=False)


@dataclass
class Cluster:
    """`workers` slots. `on_event` is called before each event with the number of trials that ended; it may raise.

    `make_curve` gives the students: synthetic ones, if it is not told otherwise.
    """

    attempt: Attempt
    workers: int
    on_event: Callable[[int], None] = lambda ended: None
    make_curve: Callable[[Slot], Curve] = curve
    clock: float = 0.0
    """Seconds."""
    ended: int = 0
    history: list[tuple[str, float]] = field(default_factory=list)
    """Key and trained share of the trials that ended, in order."""
    costs: Costs = field(default_factory=Costs)
    _events: list[_Event] = field(default_factory=list)
    _planned: int = 0
    _busy: int = 0

    def run(self) -> None:
        """Train until the attempt is finished."""
        self._fill()
        while self._events:
            self.on_event(self.ended)
            event = heapq.heappop(self._events)
            self.clock = event.time
            if event.share < 1 and self._goes_on(event):
                self._plan_next(event)
            else:
                self._end(event)
                self._fill()
        assert self.attempt.is_finished

    def _fill(self) -> None:
        while self._busy < self.workers and (text := self._charged(self._suggest)) is not None:
            for slot in Pack.decode(text).slots:
                self._busy += 1
                self._plan_next(_Event(self.clock, 0, slot, self.make_curve(slot), self.clock, 0.0))

    def _suggest(self) -> str | None:
        """As `LedgerSearcher` does."""
        if self.attempt.is_finished or self.attempt.stop_reason is not None:
            return None
        pack = self.attempt.next_pack()
        return None if pack is None else pack.encode()

    def _plan_next(self, event: _Event) -> None:
        judged = event.slot.judged
        share = next((share for share in DECISION_STEPS if judged and share > event.share), 1.0)
        moment = event.started + share * event.curve.seconds
        self._planned += 1
        heapq.heappush(self._events, _Event(moment, self._planned, event.slot, event.curve, event.started, share))

    def _goes_on(self, event: _Event) -> bool:
        value = event.curve.accuracy(event.share)
        message = encode_message([Judgement(event.slot.key, DECISION_STEPS[event.share], value)])
        return not self._charged(lambda: self._take(message))

    def _end(self, event: _Event) -> None:
        metrics = event.curve.metrics(event.share)
        state = TrialState.COMPLETE if event.share == 1 else TrialState.PRUNED
        points = event.curve.points(event.started, event.share)
        final = metrics | (scored_on_test(metrics) if event.slot.on_test else {})
        message = encode_message([Outcome(event.slot.key, TrialResult(state, metrics["val_accuracy"], final), points)])
        self._charged(lambda: self._take(message))
        self._busy -= 1
        self.ended += 1
        self.history.append((event.slot.key, event.share))

    def _take(self, message: str) -> bool:
        """As `LedgerScheduler` does; whether a judged slot is to be pruned."""
        prune = False
        for item in decode_message(message):
            if isinstance(item, Judgement):
                prune = self.attempt.judge(item)
            else:
                self.attempt.finish(item)
        return prune

    def _charged(self, call: Callable[[], T]) -> T:
        since = _now()
        try:
            return call()
        finally:
            self.costs.charge(since)
