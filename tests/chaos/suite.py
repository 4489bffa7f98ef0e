"""Sweeps on real services while everything they stand on is killed, in an order that a seed decides.

One event at a time, from the main thread. The driver is started again whenever it has ended, with the same command,
until that ends with exit code 0; then everything in `checks.py` must hold.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.chaos.checks import OF_LOGS
from tests.chaos.checks import problems
from tests.chaos.events import Event
from tests.chaos.events import Queue
from tests.chaos.events import Tally
from tests.e2e.harness import Workplace
from tests.services.servers import Server
from tests.services.stack import Stack

SAMPLE_COUNTS = (20, 50)
SEARCHED, CONTROLS, SEEDS = 20, 3, 2
"""So many searched trials that packs of four go out, one in each round of asking."""

EVALUATIONS = 12
TARGET = len(SAMPLE_COUNTS) * (SEARCHED + CONTROLS + (1 + CONTROLS) * SEEDS)
WORDS = (
    f"trials_per_count={SEARCHED}",
    f"confirm.seeds={SEEDS}",
    f"training.evaluations={EVALUATIONS}",
    "training.steps=2000",
    "max_restarts=1000",
)
"""Of a sweep whose trials take seconds. Killed workers are to blame in kdsearch's eyes, so it must be patient."""
PRUNERS = ("none", "median")

PATIENCE = 240.0
"""Seconds in which a sweep must have gone on after an event."""
POLL = 0.25
S3_SECONDS = 20.0
POSTGRES_SECONDS = (2.0, 5.0, 30.0)
DRIVER_SECONDS = 4.0
SHARE_OF_EARLY_EVENTS = 0.4
SHARE_OF_KILLS_IN_OUTAGES = 0.3


REFUSED = "can't be opened: connection failed"
"""What a command says that is started while PostgreSQL is away. It has not begun anything."""


class StuckError(AssertionError):
    """A sweep did not go on."""


class Chaos:
    """Runs sweeps until the events of the queue have happened and the last sweep is complete."""

    def __init__(self, stack: Stack, folder: Path, seed: int, queue: Queue, say: Callable[[str], None]) -> None:
        self.tally = Tally()
        self.problems: list[str] = []
        self._stack = stack
        self._user = f"chaos-{seed}"
        self._workplace = stack.workplace(folder, self._user, module="tests.chaos.driver")
        self._random = random.Random(seed)
        self._queue = queue
        self._say = say

    @property
    def logs(self) -> Path:
        """The folder that holds the logs of all attempts."""
        return self._stack.temporary / OF_LOGS

    def run(self) -> None:
        sweeps = 0
        while self._queue or not sweeps:
            self._sweep(f"sweep-{sweeps}", PRUNERS[sweeps % len(PRUNERS)])
            sweeps += 1

    def _sweep(self, name: str, pruner: str) -> None:
        driver = Driver(self._workplace, (f"name={name}", f"pruner={pruner}", *WORDS))
        progress = Progress(self._stack, self._user, name)
        try:
            while not driver.is_done:
                self._go_on(driver, progress)
                if self._queue and not driver.is_done:
                    event = self._queue.next()
                    self._say(f"{name}: {progress.finished} of {TARGET} trials finished; {event}")
                    if not self._make(event, driver):
                        self._queue.put_back(event)
        finally:
            driver.kill()
        self.tally.went_on()
        found = problems(self._stack, self._workplace, name, target=TARGET, evaluations=EVALUATIONS)
        self._say(f"{name}: complete after {driver.starts} starts, {len(found) + len(driver.surprises)} problems")
        for problem in (*driver.surprises, *found):
            self.problems.append(f"{name}: {problem}")
            self._say(self.problems[-1])

    def _go_on(self, driver: Driver, progress: Progress) -> None:
        """Let the sweep go on: to its end when no event is left, else until a trial has finished, or only just."""
        driver.ensure()
        before = progress.look()
        is_patient = not self._queue or self._random.random() > SHARE_OF_EARLY_EVENTS
        deadline = time.monotonic() + PATIENCE
        while is_patient and not driver.is_done:
            if time.monotonic() > deadline:
                raise StuckError(f"{progress.name} does not go on\n{self._workplace.logs()}")
            if progress.look() > before:
                self.tally.went_on()
                before, deadline = progress.finished, time.monotonic() + PATIENCE
                is_patient = not self._queue
            time.sleep(POLL)
            driver.ensure()

    def _make(self, event: Event, driver: Driver) -> bool:
        """Make it happen; False when the sweep was complete before it could."""
        match event:
            case Event.DRIVER:
                return self._kill_driver(driver, within=DRIVER_SECONDS)
            case Event.WORKER:
                return self._kill_worker(driver)
            case Event.NODE:
                self._stack.cluster.remove_node()
                self._outage(event, driver, self._random.uniform(1, 5))
                self._stack.cluster.add_node()
            case Event.MLFLOW:
                self._restart(event, self._stack.mlflow, driver, self._random.uniform(3, 12))
            case Event.POSTGRES:
                self._restart(event, self._stack.postgres, driver, self._random.choice(POSTGRES_SECONDS))
            case Event.S3:
                self._restart(event, self._stack.s3, driver, S3_SECONDS)
        return True

    def _kill_driver(self, driver: Driver, within: float) -> bool:
        """At any moment: while Ray starts, in the middle, while trials are confirmed, while the report is written."""
        time.sleep(self._random.uniform(0, within))
        if not driver.kill():
            return False
        self.tally.happened(Event.DRIVER)
        return True

    def _kill_worker(self, driver: Driver) -> bool:
        deadline = time.monotonic() + PATIENCE
        while not driver.is_done:
            if training := self._stack.cluster.trial_processes():
                time.sleep(self._random.uniform(0, 1))
                with suppress(ProcessLookupError):
                    os.kill(self._random.choice(training), signal.SIGKILL)
                    self.tally.happened(Event.WORKER)
                    return True
            if time.monotonic() > deadline:
                raise StuckError(f"no trial is trained\n{self._workplace.logs()}")
            time.sleep(POLL)
            driver.ensure()
        return False

    def _restart(self, event: Event, server: Server, driver: Driver, seconds: float) -> None:
        server.kill()
        self._outage(event, driver, seconds)
        server.start()

    def _outage(self, event: Event, driver: Driver, seconds: float) -> None:
        """Something is away for `seconds`; now and then the driver is killed meanwhile."""
        self.tally.happened(event)
        end = time.monotonic() + seconds
        if self._random.random() < SHARE_OF_KILLS_IN_OUTAGES and self._queue.take(Event.DRIVER):
            if not self._kill_driver(driver, within=seconds):
                self._queue.put_back(Event.DRIVER)
        time.sleep(max(0.0, end - time.monotonic()))


class Driver:
    """The process of one sweep's command, started again whenever it has ended."""

    def __init__(self, workplace: Workplace, words: tuple[str, ...]) -> None:
        self.starts = 0
        self.is_done = False
        self.surprises: list[str] = []
        """What it said when it ended by itself before the sweep was complete."""
        self._workplace = workplace
        self._words = words
        self._process: subprocess.Popen[str] | None = None

    def ensure(self) -> None:
        """Start it if it does not run and is not done."""
        process = self._process
        if process is not None and process.poll() is not None:
            self._process = None
            output, _ = process.communicate()
            self.is_done = process.returncode == 0
            if not self.is_done and REFUSED not in output:
                self.surprises.append(f"the driver ended with exit code {process.returncode}: {output[-4000:]}")
        if self._process is None and not self.is_done:
            self._process = self._workplace.start_sweep(*self._words)
            self.starts += 1

    def kill(self) -> bool:
        """SIGKILL it; False when it has ended by itself before."""
        process = self._process
        if process is None or process.poll() is not None:
            return False
        self._process = None
        process.kill()
        process.communicate()
        return True


class Progress:
    """How many trials of a sweep have finished; keeps the last answer while the ledger is away."""

    def __init__(self, stack: Stack, database: str, name: str) -> None:
        self.name = name
        self.finished = 0
        self._stack = stack
        self._database = database

    def look(self) -> int:
        import psycopg

        with suppress(psycopg.Error), self._stack.postgres.connect(self._database) as connection:
            self.finished = connection.execute(FINISHED, (f"{self.name}/%",)).fetchone()[0]
        return self.finished


FINISHED = """
SELECT count(*) FROM trials JOIN studies USING (study_id)
WHERE study_name LIKE %s AND state::text IN ('COMPLETE', 'PRUNED', 'FAIL')
"""
