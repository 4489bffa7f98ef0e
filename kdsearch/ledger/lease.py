"""One driver per sweep: the lease that an attempt holds, and its heartbeat.

Every heartbeat advances a counter by a conditional UPDATE. A newcomer takes the lease over at once when the holder's
process is provably dead, otherwise only when the counter has stood still for STALE_AFTER seconds of the newcomer's own
monotonic clock; while it advances the newcomer is refused.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any
from typing import NoReturn

from kdsearch.errors import DriverAtWorkError
from kdsearch.errors import ExitCode
from kdsearch.ledger.ledger import Ledger
from kdsearch.ledger.ledger import _now
from kdsearch.ledger.process import ProcessIdentity
from kdsearch.ledger.records import SweepState
from kdsearch.outage import AwayError
from kdsearch.outage import Outage

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy import Row

HEARTBEAT_EVERY = 4.0
STALE_AFTER = 25.0
"""Seconds without a heartbeat after which a lease may be taken."""
DOUBTFUL_AFTER = 15.0
"""Seconds without a heartbeat after which the holder writes nothing before it has made sure of its lease; the rest of
STALE_AFTER is for a write that is under way."""


class LeaseLostError(AwayError):
    """Another driver has the sweep: nothing may be written any more."""

    exit_code = ExitCode.DRIVER_AT_WORK


class Lease:
    """The right to write one sweep, held by attempt `number` from `acquire` to `release`."""

    def __init__(self, ledger: Ledger, sweep: str, number: int) -> None:
        self.number = number
        self.is_lost = False
        """Whether another driver may have the lease; nothing may be written then."""
        self._ledger = ledger
        self._sweep = sweep
        self._released = threading.Event()
        self._last_beat = time.monotonic()
        self._beating = threading.Lock()
        self._losing = threading.Lock()
        self._on_lost: Callable[[str], None] = lambda why: None
        self._search_seconds: Callable[[], float] = lambda: 0.0
        self._thread: threading.Thread | None = None

    @classmethod
    def acquire(cls, ledger: Ledger, sweep: str, on_wait: Callable[[str], None] = lambda message: None) -> Lease:
        """Take the lease of `sweep` and begin the next attempt.

        Raises:
            DriverAtWorkError: another driver holds it and its heartbeat advances.
        """
        from sqlalchemy import select

        from kdsearch.ledger import tables

        seen: int | None = None
        still_since = time.monotonic()
        while True:
            with ledger.engine.connect() as connection:
                row = connection.execute(select(tables.sweep).where(tables.sweep.c.name == sweep)).one()
                holder = _holder(connection, row)
            if holder is None or _identity(holder).is_provably_dead() or _stood_still(still_since, seen, row.heartbeat):
                number = _take(ledger, row, holder)
                if number is not None:
                    return cls(ledger, sweep, number)
                seen, still_since = None, time.monotonic()
            elif seen is not None and row.heartbeat != seen:
                raise DriverAtWorkError(
                    f"another driver is at work on {sweep}: process {holder.pid} on {holder.host}, "
                    f"attempt {holder.number}, since {holder.started:%Y-%m-%d %H:%M:%S} UTC"
                )
            elif seen is None:
                on_wait(f"waiting to see whether the driver on {holder.host} (process {holder.pid}) still lives")
                seen, still_since = row.heartbeat, time.monotonic()
            time.sleep(0.5)

    def keep(
        self,
        on_lost: Callable[[str], None],
        on_stop_requested: Callable[[], None],
        outage: Outage | None = None,
        search_seconds: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Start the heartbeat, which also records `search_seconds`: what the attempt has used of `time_budget`.

        `on_lost(why)` is called once, from whichever thread finds out, when another driver has the lease. A ledger that
        cannot be reached is told to `outage`; the lease is then as good as the next heartbeat that arrives.
        """
        self._on_lost = on_lost
        self._search_seconds = search_seconds
        beat = functools.partial(self._beat, on_stop_requested, outage)
        self._thread = threading.Thread(target=beat, daemon=True, name="lease")
        self._thread.start()

    @property
    def is_doubtful(self) -> bool:
        """Whether the last heartbeat is so long ago that another driver may have the lease."""
        return self.is_lost or time.monotonic() - self._last_beat > DOUBTFUL_AFTER

    def confirm(self) -> None:
        """Make sure that the lease is ours; asks the ledger only where it is doubtful.

        Raises:
            LeaseLostError: another driver has it.
        """
        if self.is_doubtful:
            self._make_sure()

    def hold(self, connection: Connection) -> None:
        """Keep the lease while a transaction lasts: nobody takes it before that has ended.

        Raises:
            LeaseLostError: another driver has it.
        """
        from sqlalchemy import update

        from kdsearch.ledger import tables

        mine = (tables.sweep.c.name == self._sweep) & (tables.sweep.c.holder == self.number)
        # An update, not a look: it locks the row, and on SQLite the transaction can't fail later for having read.
        if connection.execute(update(tables.sweep).where(mine).values(holder=self.number)).rowcount != 1:
            self._lose()

    def _beat(self, on_stop_requested: Callable[[], None], outage: Outage | None) -> None:
        while not self._released.wait(HEARTBEAT_EVERY):
            try:
                stop_requested = self._make_sure()
            except LeaseLostError:
                return
            except Exception as error:
                if outage is not None:
                    outage.went_away(error)
                continue
            if outage is not None:
                outage.came_back()
            if stop_requested:
                on_stop_requested()

    def _make_sure(self) -> bool:
        """Advance the heartbeat; whether a stop was asked for."""
        with self._beating:
            began = time.monotonic()
            stop_requested = None if self.is_lost else self._advance()
            if stop_requested is not None:
                self._last_beat = began
                return stop_requested
        self._lose()

    def _lose(self) -> NoReturn:
        with self._losing:
            is_news, self.is_lost = not self.is_lost, True
        why = "another driver took the sweep over"
        if is_news:
            self._on_lost(why)
        raise LeaseLostError(why)

    def _advance(self) -> bool | None:
        """Advance the heartbeat; whether a stop was asked for, or None when the lease is no longer ours."""
        from sqlalchemy import select
        from sqlalchemy import update

        from kdsearch.ledger import tables

        mine = (tables.sweep.c.name == self._sweep) & (tables.sweep.c.holder == self.number)
        with self._ledger.engine.begin() as connection:
            advance = update(tables.sweep).where(mine).values(heartbeat=tables.sweep.c.heartbeat + 1)
            if connection.execute(advance).rowcount != 1:
                return None
            this = (tables.attempt.c.sweep == self._sweep) & (tables.attempt.c.number == self.number)
            connection.execute(update(tables.attempt).where(this).values(alive=_now()))
            self._record_search(connection)
            return bool(connection.execute(select(tables.sweep.c.stop_requested).where(mine)).scalar())

    def _record_search(self, connection: Connection) -> None:
        from sqlalchemy import insert
        from sqlalchemy import update

        from kdsearch.ledger import tables

        seconds = self._search_seconds()
        this = (tables.search_time.c.sweep == self._sweep) & (tables.search_time.c.attempt == self.number)
        if not connection.execute(update(tables.search_time).where(this).values(seconds=seconds)).rowcount:
            row = {"sweep": self._sweep, "attempt": self.number, "seconds": seconds}
            connection.execute(insert(tables.search_time).values(row))

    def stop_beating(self) -> None:
        """Let the lease go stale, as when the driver dies."""
        self._released.set()
        if self._thread is not None:
            self._thread.join()

    def release(self, state: SweepState, outcome: str) -> None:
        """End the attempt: the sweep's state, why the attempt ended, and the lease, in one transaction."""
        from sqlalchemy import update

        from kdsearch.ledger import tables

        self.stop_beating()
        mine = (tables.sweep.c.name == self._sweep) & (tables.sweep.c.holder == self.number)
        with self._ledger.engine.begin() as connection:
            freed = update(tables.sweep).where(mine).values(holder=None, state=state.value, stop_requested=False)
            connection.execute(freed)
            self._record_search(connection)
            connection.execute(_end_attempt(self._sweep, self.number, outcome, _now()))


def _holder(connection: Connection, row: Row[Any]) -> Row[Any] | None:
    from sqlalchemy import select

    from kdsearch.ledger import tables

    if row.holder is None:
        return None
    query = select(tables.attempt).where(tables.attempt.c.sweep == row.name, tables.attempt.c.number == row.holder)
    return connection.execute(query).one()


def _identity(holder: Row[Any]) -> ProcessIdentity:
    return ProcessIdentity(holder.host, holder.boot, holder.pid, holder.pid_started)


def _stood_still(since: float, seen: int | None, heartbeat: int) -> bool:
    return seen is not None and seen == heartbeat and time.monotonic() - since > STALE_AFTER


def _take(ledger: Ledger, row: Row[Any], holder: Row[Any] | None) -> int | None:
    """Begin the next attempt, if nobody else changed the lease since `row` was read; None when somebody did."""
    from sqlalchemy import func
    from sqlalchemy import insert
    from sqlalchemy import select
    from sqlalchemy import update

    from kdsearch.ledger import tables

    me, now = ProcessIdentity.current(), _now()
    attempts = select(func.coalesce(func.max(tables.attempt.c.number), 0)).where(tables.attempt.c.sweep == row.name)
    unchanged = (
        (tables.sweep.c.name == row.name)
        & (tables.sweep.c.heartbeat == row.heartbeat)
        & (tables.sweep.c.holder.is_(None) if row.holder is None else tables.sweep.c.holder == row.holder)
    )
    with ledger.engine.begin() as connection:
        number = int(connection.execute(attempts).scalar_one()) + 1
        taken = (
            update(tables.sweep)
            .where(unchanged)
            .values(holder=number, heartbeat=row.heartbeat + 1, state=SweepState.RUNNING.value, stop_requested=False)
        )
        if connection.execute(taken).rowcount != 1:
            return None
        if holder is not None:
            # It ended when it was last seen alive: the time since then was spent by nobody.
            connection.execute(_end_attempt(row.name, holder.number, "died", holder.alive))
        connection.execute(
            insert(tables.attempt).values(
                sweep=row.name,
                number=number,
                host=me.host,
                boot=me.boot,
                pid=me.pid,
                pid_started=me.started,
                started=now,
                alive=now,
            )
        )
    return number


def _end_attempt(sweep: str, number: int, outcome: str, ended: datetime) -> Any:
    from sqlalchemy import update

    from kdsearch.ledger import tables

    this = (tables.attempt.c.sweep == sweep) & (tables.attempt.c.number == number) & (tables.attempt.c.ended.is_(None))
    return update(tables.attempt).where(this).values(ended=ended, outcome=outcome)
