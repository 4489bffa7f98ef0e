"""One attempt on a sweep, from the validated config to the leaderboard."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.config.compatibility import check_compatible
from kdsearch.config.compose import Composed
from kdsearch.config.schema import SweepConfig
from kdsearch.config.secrets import mask_url
from kdsearch.errors import DriverAtWorkError
from kdsearch.errors import ExitCode
from kdsearch.errors import InputError
from kdsearch.ledger import Lease
from kdsearch.ledger import LeaseLostError
from kdsearch.ledger import Ledger
from kdsearch.ledger import NoLedgerError
from kdsearch.ledger import SweepRecord
from kdsearch.ledger import SweepState
from kdsearch.ledger import cause_of
from kdsearch.ledger import is_away
from kdsearch.ledger import open_ledger
from kdsearch.outage import AwayError
from kdsearch.outage import Outage
from kdsearch.outage import short
from kdsearch.progress import Phase
from kdsearch.progress import Tally
from kdsearch.progress import make_progress
from kdsearch.search.attempt import Attempt
from kdsearch.search.checkpoints import prune
from kdsearch.search.clock import SearchClock
from kdsearch.search.fingerprint import changes
from kdsearch.search.interrupt import Interrupts
from kdsearch.search.interrupt import handle_interrupts
from kdsearch.search.knock import require_cluster
from kdsearch.search.observers import Gains
from kdsearch.search.observers import Screen
from kdsearch.search.observers import TrackerObserver
from kdsearch.search.packing import Packing
from kdsearch.search.plan import planned_target
from kdsearch.search.plan import targets_by_count
from kdsearch.search.pulse import Pulse
from kdsearch.search.quiet import output_to_log
from kdsearch.search.scratch import scratch
from kdsearch.search.scratch import scratch_folder
from kdsearch.search.spool import Spool
from kdsearch.sqlite import sqlite_file
from kdsearch.storage import PatientStorage
from kdsearch.storage import Storage
from kdsearch.storage import open_storage
from kdsearch.tracking import Tracker
from kdsearch.tracking import verify
from kdsearch.tracking.verify import TrackingUnavailable

if TYPE_CHECKING:
    from rich.console import Console


CHECKPOINT_SECONDS = 60.0
IMBALANCED = 3.0
"""From how many times the smallest class's samples on the largest class is spoken of."""
STOP_REQUESTED = "stop requested"
OUT_OF_TIME = "time budget used up"


@dataclass(frozen=True)
class End:
    """How an attempt ended: the sweep's state after it, the reason as `status` shows it, the command's exit code."""

    state: SweepState
    outcome: str
    exit_code: ExitCode


def _unwritten(end: End, why: str) -> End:
    """The same end where something is not written that the next attempt has to write."""
    state = SweepState.STOPPED if end.state is SweepState.COMPLETE else end.state
    outcome = why if end.exit_code is ExitCode.DONE else end.outcome
    return End(state, outcome, end.exit_code or ExitCode.TOO_MANY_FAILURES)


def _broken_off(error: BaseException) -> End:
    """The end of an attempt that an error, or a second Ctrl-C, has broken off."""
    if isinstance(error, KeyboardInterrupt):
        return End(SweepState.INTERRUPTED, "interrupted by SIGINT, twice", ExitCode.INTERRUPTED)
    outcome = f"error: {type(error).__name__}: {error}"[:1000]
    return End(SweepState.INTERRUPTED, outcome, ExitCode.TOO_MANY_FAILURES)


def run(composed: Composed, *, console: Console, extend: bool = False) -> ExitCode:
    """Start the sweep, or go on with it up to its target; `extend` (of `resume`) allows more trials to be asked for.

    Raises:
        InputError: the sweep exists and its config disagrees, or the cluster that it is to join is not up.
        DriverAtWorkError: another driver is at work on it.
    """
    config = composed.config
    check_stored(composed, extend=extend)
    require_cluster(config.cluster)
    ledger = open_ledger(config.ledger, create=True)
    starting = Outage(_ledger_name(config), config.mlflow.patience, console.print, describe=cause_of)
    ledger.wait_out(lambda call: starting.insist(call, is_away))
    try:
        before = ledger.create_sweep(config.name, composed.stored, planned_target(config))
        lease = starting.insist(lambda: Lease.acquire(ledger, config.name, console.print), is_away)
        _check_again(ledger, lease, composed, before, extend=extend)
        ledger.update_sweep(config.name, config=composed.stored, target=planned_target(config))
        sweep = ledger.sweep(config.name)
        assert sweep is not None
        with output_to_log(_local_folder(config, sweep) / "logs" / f"attempt-{lease.number}.log", console):
            return _Driver(composed, ledger, sweep, lease, console).run()
    finally:
        ledger.close()


def check_stored(composed: Composed, *, extend: bool) -> None:
    """Refuse a config that disagrees with the sweep's stored one; nothing is created."""
    config = composed.config
    try:
        ledger = open_ledger(config.ledger)
    except NoLedgerError:
        return
    try:
        sweep = ledger.sweep(config.name)
    finally:
        ledger.close()
    if sweep is not None:
        check_compatible(sweep.config, composed.stored, extend=extend)


def _check_again(ledger: Ledger, lease: Lease, composed: Composed, before: SweepRecord, *, extend: bool) -> None:
    """Refuse a config that disagrees with what another driver has stored since it was checked."""
    sweep = ledger.sweep(composed.config.name)
    assert sweep is not None
    try:
        check_compatible(sweep.config, composed.stored, extend=extend)
    except InputError:
        was_running = before.state is SweepState.RUNNING
        lease.release(SweepState.INTERRUPTED if was_running else before.state, "refused: its configuration disagrees")
        raise


def _ledger_name(config: SweepConfig) -> str:
    return f"The ledger at {mask_url(config.ledger)}"


def _local_folder(config: SweepConfig, sweep: SweepRecord) -> Path:
    """The sweep's folder on this machine: in the storage, or in the temporary folder where that is not a local one."""
    local = open_storage(config.storage).local_path
    if local is not None:
        return local / "sweeps" / config.name
    return Path(tempfile.gettempdir()) / f"kdsearch-{os.getuid()}" / f"{config.name}-{sweep.uid[:8]}"


class _Driver:
    """The attempt's parts, and the order in which they work."""

    def __init__(
        self,
        composed: Composed,
        ledger: Ledger,
        sweep: SweepRecord,
        lease: Lease,
        console: Console,
    ) -> None:
        config, stored = composed.config, composed.stored
        self._config = config
        self._stored = stored
        self._data = composed.data
        self._sweep = sweep
        self._ledger = ledger
        self._lease = lease
        self._console = console
        self._progress = make_progress(console)
        self._screen = Screen(self._progress, Tally(targets_by_count(config), config.search.metric))
        self._tracker = Tracker(
            config.mlflow.tracking_uri or "",
            config.mlflow.experiment or config.name,
            sweep,
            stored,
            self._progress.note,
            config.mlflow.patience,
            _artifact_location(config),
            may_write=lambda: not lease.is_doubtful,
        )
        self._gains = Gains(config.search.metric)
        observers = (TrackerObserver(self._tracker, self._gains), self._screen)
        spool = Spool(_local_folder(config, sweep) / f"results-{sweep.uid}.jsonl")
        clock = SearchClock(config.time_budget, earlier=sweep.search_seconds)
        self._attempt = Attempt(ledger, config, lease.number, spool, observers, clock)
        self._is_tracking = False
        self._pulse: Pulse | None = None
        self._ledger_outage = self._outage(_ledger_name(config), describe=cause_of)
        self._storage_outage = self._outage(f"The storage {config.storage}")
        self._storage: Storage = PatientStorage(open_storage(config.storage), self._storage_outage)

    def _outage(self, what: str, describe: Callable[[BaseException], str] = str) -> Outage:
        return Outage(
            what,
            self._config.mlflow.patience,
            self._progress.note,
            is_stopping=lambda: self._attempt.stop_reason is not None,
            while_waiting=self._while_waiting,
            describe=describe,
        )

    def _while_waiting(self) -> None:
        """The ledger is away, and Tune's loop waits in one of its callbacks."""
        self._attempt.keep_in_hand()
        if self._pulse is not None:
            self._pulse()

    def _insist(self, call: Callable[[], Any]) -> Any:
        """Make a call to the ledger for which the lease must be ours, however long the ledger is away."""

        def fenced() -> Any:
            self._lease.confirm()
            return call()

        return self._ledger_outage.insist(fenced, is_away)

    def run(self) -> ExitCode:
        end = End(SweepState.INTERRUPTED, "the ledger was away", ExitCode.TOO_MANY_FAILURES)
        self._ledger.wait_out(self._insist)
        self._ledger.fence(self._lease.hold)
        self._lease.keep(
            self._lose_lease,
            lambda: self._attempt.stop(STOP_REQUESTED),
            self._ledger_outage,
            lambda: self._attempt.clock.seconds,
        )
        try:
            end = self._work()
            self._settle(end)
            end = self._conclude(end)
        except LeaseLostError as error:
            raise DriverAtWorkError(f"stopped: {error}") from error
        except AwayError as error:
            self._console.print(f"{error}. No result is lost: the same command goes on.")
            end = _unwritten(end, str(error))
        except BaseException as error:
            end = _broken_off(error)
            with contextlib.suppress(AwayError):
                self._settle(end)
            raise
        finally:
            self._tracker.close()
            with contextlib.suppress(AwayError):
                self._insist(lambda: self._lease.release(end.state, end.outcome))
            self._lease.stop_beating()
        return end.exit_code

    def _work(self) -> End:
        """Search until nothing is left to do, or the attempt is to stop."""
        with self._progress, handle_interrupts(lambda: self._attempt.stop("interrupted")) as interrupts:
            self._write_config()
            self._attempt.open()
            self._take_stock()
            if not self._attempt.is_finished or self._must_mend():
                self._is_tracking = True
                records = self._ledger.trials(self._config.name)
                self._tracker.reconcile(records, lambda record: self._ledger.series(record.key), self._gains.of)
            if not self._attempt.is_finished:
                prune(self._storage, self._config.name, self._unfinished())
                self._search(interrupts)
            return self._end(interrupts)

    def _settle(self, end: End) -> None:
        """Leave ledger and storage as the next attempt wants to find them."""
        self._attempt.suspend_all()
        if self._attempt.is_complete:
            prune(self._storage, self._config.name, self._unfinished())
            shutil.rmtree(scratch_folder(self._sweep.uid), ignore_errors=True)
        self._ledger.update_sweep(self._config.name, target=self._attempt.target, state=end.state)

    def _conclude(self, end: End) -> End:
        """Leave what people look at; the end, which is another one where MLflow stays away."""
        from kdsearch.search.conclusion import conclude

        tracker = self._tracker if self._is_tracking else None
        if tracker is not None and not tracker.is_started:
            if end.state is SweepState.INTERRUPTED:
                # There is no run to close, and whoever interrupts does not want to wait for MLflow to be imported.
                tracker = None
            else:
                tracker.start()
        failed = end.exit_code is ExitCode.TOO_MANY_FAILURES
        if end.state is not SweepState.COMPLETE:
            self._console.print(f"{end.state.value}: {end.outcome}", markup=False)
        with (
            scratch(self._sweep.uid, "report") as folder,
            handle_interrupts(lambda: None) as interrupts,
        ):
            if end.state is SweepState.INTERRUPTED:
                interrupts.note(signal.SIGINT)  # another Ctrl-C ends at once
            pending = conclude(
                self._ledger,
                self._config,
                self._storage,
                tracker,
                folder,
                failed=failed,
                console=self._console,
                go_on=lambda: interrupts.received is None and not self._lease.is_lost,
            )
        if pending is None or self._tracker.undelivered or end.state is SweepState.INTERRUPTED:
            return end
        self._insist(lambda: None)
        if interrupts.received is not None and interrupts.exit_code is not None:
            end = _unwritten(end, f"interrupted by {interrupts.received.name}")
            return replace(end, exit_code=interrupts.exit_code)
        return _unwritten(end, f"not in MLflow: {pending}")

    def _unfinished(self) -> set[str]:
        return {record.key for record in self._ledger.trials(self._config.name) if not record.state.is_finished}

    def _write_config(self) -> None:
        import yaml

        text = yaml.safe_dump(self._stored, sort_keys=False, allow_unicode=True)
        self._storage.write(f"sweeps/{self._config.name}/config.yaml", text.encode())

    def _lose_lease(self, why: str) -> None:
        """From now on the sweep is somebody else's to write."""
        self._attempt.abandon(why)

    def _must_mend(self) -> bool:
        """Whether MLflow lacks runs of the ledger's trials, or has some open or twice; nothing is at work here."""
        ended = replace(self._sweep, state=SweepState.COMPLETE)
        records = self._ledger.trials(self._config.name)
        try:
            found = verify(self._config.mlflow.tracking_uri or "", ended, records)
        except TrackingUnavailable:
            return True
        return any(found[what] for what in ("missing", "duplicate", "open", "status"))

    def _take_stock(self) -> None:
        self._gains.add(*self._attempt.records)
        self._screen.tally.add(self._attempt.records)

    def _search(self, interrupts: Interrupts) -> None:
        from kdsearch.search.cluster import ray_cluster

        self._screen.enter(Phase.STARTING)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(ray_cluster(self._config))
            except SystemExit:
                # What Ray's own SIGTERM handler raises, which is in force until `install` puts ours back.
                interrupts.note(signal.SIGTERM)
                return
            interrupts.install()
            self._train_on_cluster()

    def _train_on_cluster(self) -> None:
        from ray.exceptions import RayError
        from ray.exceptions import RayTaskError

        try:
            self._train()
        except RayTaskError:
            raise
        except RayError as error:
            self._attempt.stop(f"Ray failed: {short(str(error))}")

    def _train(self) -> None:
        """Teacher and trials, on the cluster that is there. Nothing of Ray's may outlive this function."""
        from kdsearch.search.board import start_board
        from kdsearch.search.prepare import prepare
        from kdsearch.search.room import Room
        from kdsearch.search.room import grown_slots
        from kdsearch.search.room import wait_for_room
        from kdsearch.search.shared import WorkerContext
        from kdsearch.search.tuning import run_tuner

        config = self._config
        problems = wait_for_room(config.resources, self._progress.note, lambda: self._attempt.stop_reason is None)
        if problems:
            raise InputError(problems)
        board = start_board()
        self._screen.enter(Phase.TEACHER)
        preparation = prepare(config, board, self._fingerprint)
        pulse = Pulse(
            self._attempt,
            self._tracker,
            board,
            preparation,
            on_teacher=self._take_teacher,
            on_stopping=lambda: self._screen.enter(Phase.STOPPING),
            ledger=self._ledger_outage,
            storage=self._storage_outage,
        )
        self._pulse = pulse
        # Before the teacher is there: what `auto` means is stored with what is known of it.
        self._attempt.packing = packing = self._packing(grown_slots(config.resources))
        if not config.cluster.is_own or config.resources.gpus_per_trial > 0:
            # Trials may wait for data only where they can't keep the task that makes it from running.
            pulse.wait_for_teacher()
        context = WorkerContext(
            sweep=config.name,
            uid=self._sweep.uid,
            storage=config.storage,
            students={name: student for name, student in [(None, config.student), *config.students.items()]},
            training=config.training,
            student_layer=config.features.student_layer,
            metric=config.search.metric,
            threads=max(1, int(config.resources.cpus_per_trial)),
            gpus=config.resources.gpus_per_trial,
            checkpoint_seconds=CHECKPOINT_SECONDS,
            data=preparation.data,
            test=preparation.test,
            board=board,
        )
        if self._attempt.stop_reason is None:
            with scratch(self._sweep.uid, "tune") as folder:
                room = Room(config, packing.largest)
                run_tuner(self._attempt, context, config.resources, room=room, scratch=folder, on_step=pulse)
        self._pulse = None
        if pulse.error is not None:
            raise pulse.error

    def _packing(self, slots: int) -> Packing:
        from kdsearch.data import describe

        recorded = self._sweep.teacher.get("packs")
        return Packing.of(self._config, self._data or describe(self._config.dataset), slots, recorded)

    @property
    def _fingerprint(self) -> dict[str, str]:
        """Of the attempt before."""
        return dict(self._sweep.teacher.get("fingerprint", {}))

    def _take_teacher(self, facts: dict[str, Any]) -> None:
        for change in changes(self._fingerprint, facts["fingerprint"]):
            self._progress.note(change)
        imbalance = facts["data"]["imbalance"]
        if imbalance >= IMBALANCED and self._config.search.metric == "val_accuracy":
            self._progress.note(
                f"The largest class has {imbalance:.1f} times the samples of the smallest; "
                "search.metric=val_balanced_accuracy weighs them alike"
            )
        facts = {**facts, "packs": dict(self._attempt.packing.recorded)}
        self._ledger.update_sweep(self._config.name, teacher=facts)
        self._attempt.begin_search()
        self._screen.enter(Phase.SEARCHING)

    def _end(self, interrupts: Interrupts) -> End:
        reason = self._attempt.stop_reason
        if interrupts.received is not None and interrupts.exit_code is not None:
            return End(SweepState.INTERRUPTED, f"interrupted by {interrupts.received.name}", interrupts.exit_code)
        if self._attempt.is_complete:
            return End(SweepState.COMPLETE, "complete", ExitCode.DONE)
        if reason == STOP_REQUESTED:
            return End(SweepState.STOPPED, reason, ExitCode.DONE)
        if reason is None:
            return End(SweepState.STOPPED, OUT_OF_TIME, ExitCode.DONE)
        return End(SweepState.STOPPED, reason, ExitCode.TOO_MANY_FAILURES)


def _artifact_location(config: SweepConfig) -> str | None:
    """A folder beside the database that MLflow is tracked in; a server decides for itself."""
    path = sqlite_file(config.mlflow.tracking_uri or "")
    return str(path.parent / "mlflow-artifacts") if path else None
