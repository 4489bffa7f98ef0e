"""The one writer of a sweep's MLflow runs in an attempt: a thread that delivers projections of the ledger, in order."""

from __future__ import annotations

import math
import tempfile
import threading
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.config.secrets import mask_url
from kdsearch.ledger.records import Point
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import SweepState
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.outage import Outage
from kdsearch.outage import short
from kdsearch.tracking.backlog import Backlog
from kdsearch.tracking.description import describe
from kdsearch.tracking.description import write_previews
from kdsearch.tracking.findings import TABLE_FILE
from kdsearch.tracking.findings import TABLE_TAG
from kdsearch.tracking.findings import Findings
from kdsearch.tracking.findings import findings_so_far
from kdsearch.tracking.projection import COLOR
from kdsearch.tracking.projection import NOTE
from kdsearch.tracking.projection import SWEEP_STATUS
from kdsearch.tracking.projection import MetricPoint
from kdsearch.tracking.projection import Projection
from kdsearch.tracking.projection import final_points
from kdsearch.tracking.projection import project
from kdsearch.tracking.views import LANDING
from kdsearch.tracking.views import View
from kdsearch.tracking.views import sweep_views
from kdsearch.tracking.views import view_id
from kdsearch.tracking.views import view_tags

if TYPE_CHECKING:
    from kdsearch.tracking.models import LoggableStudent
    from kdsearch.tracking.runs import SweepRuns

LONGEST_PAUSE = 10.0
"""Seconds between two tries while the server is away."""
TRIES_OF_ONE_WRITE = 5
"""A write that failed so often while the server answers other questions is given up."""

SeriesOf = Callable[[TrialRecord], Sequence[Point]]
ExtraMetricsOf = Callable[[TrialRecord], Mapping[str, float]]


@dataclass(frozen=True)
class _Started:
    projection: Projection


@dataclass(frozen=True)
class _Interrupted:
    projection: Projection


@dataclass(frozen=True)
class _Finished:
    projection: Projection


@dataclass(frozen=True)
class _Measured:
    projection: Projection
    metrics: tuple[MetricPoint, ...]


@dataclass(frozen=True)
class _Reconcile:
    records: tuple[TrialRecord, ...]
    callbacks: int
    """Which of the tracker's pairs of callbacks: a job may be pickled, they can't."""


@dataclass(frozen=True)
class _End:
    status: str
    time: int
    tags: Mapping[str, str]
    findings: Findings
    artifacts: Path | None
    students: tuple[LoggableStudent, ...]
    register_as: str | None


class Tracker:
    """Delivers a sweep's rows to MLflow from a thread of its own; no method but `finish` and `close` waits.

    The thread retries what fails, in order, and never gives up on a server that is away. After `patience` seconds
    without an answer `failure` says so, and the driver decides. A view or artifact that can't be written is a
    warning. `on_warning` is called from the thread.
    """

    def __init__(
        self,
        tracking_uri: str,
        experiment: str,
        sweep: SweepRecord,
        config: Mapping[str, Any],
        on_warning: Callable[[str], None],
        patience: float,
        artifact_location: str | None = None,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        """`config` is the stored one (secrets as references). Nothing is written while `may_write` says no: another
        driver may be at work. `artifact_location` is for a `tracking_uri` that is a
        database, where MLflow would otherwise put artifacts into the working folder; None leaves it to the server.
        """
        self.undelivered: list[str] = []
        """Trials whose run the server refused to take; reconcile of the next attempt tries again."""
        self._tracking_uri = tracking_uri
        self._patience = patience
        self._outage = Outage(f"MLflow at {mask_url(tracking_uri)}", patience, on_warning)
        self._error: str | None = None
        self._experiment = experiment
        self._artifact_location = artifact_location
        self._sweep = sweep
        self._config = config
        self._sample_counts = tuple(config["sample_counts"])
        self._on_warning = on_warning
        self._may_write = may_write
        self._backlog = Backlog()
        self._mended: set[str] = set()
        """Trials that the reconciliation under way is done with."""
        self._callbacks: list[tuple[SeriesOf, ExtraMetricsOf]] = []
        self._closed = threading.Event()
        self._runs: SweepRuns | None = None
        self._thread = threading.Thread(target=self._run, name="kdsearch-tracker", daemon=True)

    @property
    def failure(self) -> str | None:
        """Why nothing is delivered any more: the server has been away for longer than `patience`, or a bug of ours."""
        return self._error or self._outage.failure

    def start(self) -> None:
        """Return at once; the thread imports MLflow, finds or creates experiment and parent run, and begins.

        Until then everything is kept; a second call does nothing.
        """
        if not self.is_started:
            self._thread.start()

    @property
    def is_started(self) -> bool:
        return self._thread.ident is not None

    def trial_started(self, record: TrialRecord) -> None:
        self._backlog.put(_Started(self._project(record)))

    def trial_finished(
        self, record: TrialRecord, series: Sequence[Point], extra_metrics: Mapping[str, float] | None = None
    ) -> None:
        """`record` is COMPLETE, PRUNED or FAIL; `extra_metrics` (`gain_over_labels`) join the final metrics."""
        self._backlog.put(_Finished(self._project(record, series, extra_metrics)))

    def trial_measured(self, record: TrialRecord, metrics: Mapping[str, float]) -> None:
        """Final metrics of a finished trial that became known after it had finished."""
        self._backlog.put(_Measured(self._project(record), tuple(final_points(record, metrics))))

    def trial_interrupted(self, record: TrialRecord) -> None:
        """The trial waits for the next attempt: its run is SCHEDULED."""
        self._backlog.put(_Interrupted(self._project(record)))

    def reconcile(
        self, records: Sequence[TrialRecord], series: SeriesOf, extra_metrics: ExtraMetricsOf = lambda record: {}
    ) -> None:
        """Make MLflow agree with the ledger's `records`: write what is missing, close what is open though finished,
        remove duplicates. Runs of other trials are left alone (`verify` counts them as unknown).

        `series` and `extra_metrics` are called from the tracker's thread, for the trials that need writing only.
        """
        self._callbacks.append((series, extra_metrics))
        self._backlog.put(_Reconcile(tuple(records), len(self._callbacks) - 1))

    def finish(
        self,
        state: SweepState,
        findings: Findings,
        artifacts: Path | None,
        timeout: float,
        too_many_failures: bool = False,
        students: Sequence[LoggableStudent] = (),
        register_as: str | None = None,
    ) -> bool:
        """Close the parent run and wait up to `timeout` seconds until all is delivered; whether it was (see `wait`).

        `artifacts` is a folder; whatever is in it becomes an artifact of the sweep's run. `students` become models,
        and versions of the registered model `register_as`.
        """
        status = "FAILED" if too_many_failures else SWEEP_STATUS[state]
        tags = {"kdsearch.state": state.value, "kdsearch.target": str(self._sweep.target)}
        self._backlog.put(
            _End(status, time.time_ns() // 1_000_000, tags, findings, artifacts, tuple(students), register_as)
        )
        return self.wait(timeout)

    def wait(self, timeout: float | None = None, go_on: Callable[[], bool] = lambda: True) -> bool:
        """Wait until all is delivered, and say whether it was.

        For `timeout` seconds; None is as long as MLflow is not away for longer than `patience`. Not longer than
        `go_on` says.
        """
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while not self._backlog.wait_empty(timeout=min(0.5, max(0.0, deadline - time.monotonic()))):
            is_hopeless = self._error is not None or (timeout is None and self._outage.seconds > self._patience)
            if is_hopeless or time.monotonic() >= deadline or not self._thread.is_alive() or not go_on():
                return False
        return not self.undelivered

    @property
    def pending(self) -> list[str]:
        """Whose runs MLflow may not have as they are: trials, and the sweep's own by its name."""
        left = [key for job in self._backlog.left() for key in self._owed(job)]
        return list(dict.fromkeys([*self.undelivered, *left]))

    def _owed(self, job: object) -> list[str]:
        match job:
            case _Reconcile(records, _):
                return [record.key for record in records if record.attempts and record.key not in self._mended]
            case _End():
                return [self._sweep.name]
            case _Started(projection) | _Interrupted(projection) | _Finished(projection) | _Measured(projection, _):
                return [projection.trial]
        return []

    def close(self) -> None:
        """Write nothing more (a request under way ends by itself)."""
        self._closed.set()
        self._backlog.close()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout=1.0)

    def _project(
        self, record: TrialRecord, series: Sequence[Point] = (), extra_metrics: Mapping[str, float] | None = None
    ) -> Projection:
        return project(record, self._sweep, self._sample_counts, series, extra_metrics)

    def _run(self) -> None:
        try:
            if not self._insist(self._open, "the sweep's run"):
                if self._closed.is_set():
                    return
                raise RuntimeError("the sweep's run could not be created")
            self._decorate()
            while not self._closed.is_set():
                job = self._backlog.first()
                if job is None:
                    return
                self._do(job)
                if not self._closed.is_set():
                    self._backlog.pop()
        except Exception as error:  # a bug of ours must end neither the sweep nor in silence
            self._error = f"writing to MLflow ended: {short(str(error))}"
            self._on_warning(self._error)

    def _open(self) -> None:
        from kdsearch.tracking.runs import SweepRuns

        self._runs = SweepRuns(self._tracking_uri, self._experiment, self._artifact_location, self._sweep)
        self._runs.set_parent("RUNNING", None, {})

    def _decorate(self) -> None:
        """Config and views: nice to have."""
        runs = self._opened()
        self._attempt(lambda: runs.log_text(_yaml(self._config), "sweep.yaml"), "the configuration")
        self._attempt(partial(self._save_views, runs, is_live=True), "the saved views")

    def _views(self, *, is_live: bool) -> list[View]:
        metric = str(self._config["search"]["metric"])
        return sweep_views(self._sweep, metric, self._sample_counts, is_live=is_live)

    def _save_views(self, runs: SweepRuns, *, is_live: bool) -> None:
        created = int(self._sweep.created.timestamp() * 1000)
        runs.set_experiment_tags(view_tags(self._views(is_live=is_live), created))

    def _describe(self, runs: SweepRuns, findings: Findings, artifacts: Path | None = None) -> None:
        """The description of the sweep's run, and of the experiment unless that has one of somebody else's."""
        text = describe(findings, runs.experiment_id, runs.parent_id, self._views(is_live=False), artifacts)
        runs.set_parent_tags({NOTE: text})
        present = runs.experiment_tags().get(NOTE, "")
        if not present or view_id(self._sweep.uid, LANDING) in present:
            runs.set_experiment_tags({NOTE: text})

    def _leave(self, runs: SweepRuns, findings: Findings, artifacts: Path | None) -> None:
        """What the end of an attempt leaves to look at."""
        if artifacts is not None:
            self._attempt(partial(runs.log_files, artifacts), "the report")
            self._attempt(partial(_log_previews, runs, artifacts), "the images of the description")
        for name, text in findings.files.items():
            self._attempt(partial(runs.log_text, text, name), name)
        if TABLE_FILE in findings.files:
            self._attempt(partial(runs.set_parent_tags, TABLE_TAG), "the table of trials")
        if findings.metrics:
            self._attempt(partial(runs.add_parent_metrics, findings.metrics), "the results by sample count")
        self._attempt(partial(self._describe, runs, findings, artifacts), "the description")
        self._attempt(partial(self._save_views, runs, is_live=False), "the saved views")

    def _do(self, job: object) -> None:
        runs = self._opened()
        match job:
            case _Started(projection):
                self._insist(partial(runs.open, projection), projection.trial)
            case _Interrupted(projection):
                self._insist(partial(runs.suspend, projection), projection.trial)
            case _Finished(projection):
                self._insist(partial(runs.finish, projection), projection.trial)
            case _Measured(projection, metrics):
                self._insist(partial(runs.add_metrics, projection, metrics), projection.trial)
            case _Reconcile(records, callbacks):
                self._reconcile(runs, records, *self._callbacks[callbacks])
            case _End(status, moment, tags, findings, artifacts, students, register_as):
                # Not before it answers: what is nice to have is tried once.
                self._insist(partial(runs.set_parent_tags, tags), "the end of the sweep")
                self._leave(runs, findings, artifacts)
                for student in students:
                    log = partial(runs.log_student, student, register_as)
                    self._attempt(log, f"the student of n={student.sample_count}")
                self._insist(partial(runs.set_parent, status, moment, {}), "the end of the sweep")

    def _reconcile(
        self, runs: SweepRuns, records: Sequence[TrialRecord], series: SeriesOf, extra_metrics: ExtraMetricsOf
    ) -> None:
        self._mended.clear()
        for record in records:
            if self._closed.is_set():
                return
            mend = partial(self._mend, runs, record, series, extra_metrics)
            if self._insist(mend, record.key):
                self._mended.add(record.key)
        self._attempt(lambda: self._describe(runs, findings_so_far(self._sweep, records)), "the description")

    def _mend(self, runs: SweepRuns, record: TrialRecord, series: SeriesOf, extra_metrics: ExtraMetricsOf) -> None:
        """Make a trial's runs one, and that one agree with the ledger."""
        projection = self._project(record)
        present = runs.children.get(record.key, [])
        if len(present) > 1:
            keep = next((run for run in present if run.status == projection.status), present[0])
            runs.remove_duplicates(record.key, keep)
        if record.state.is_finished:
            if not present or present[0].status != projection.status:
                runs.finish(self._project(record, series(record), extra_metrics(record)))
        elif record.state is TrialState.WAITING and record.attempts:
            runs.suspend(projection)
        for run in present:
            runs.recolor(run, projection.tags[COLOR])

    def _opened(self) -> SweepRuns:
        assert self._runs is not None
        return self._runs

    def _attempt(self, write: Callable[[], None], what: str) -> None:
        try:
            write()
        except Exception as error:
            self._on_warning(f"MLflow: {what} could not be written: {short(str(error))}")

    def _insist(self, write: Callable[[], None], what: str) -> bool:
        """Try until it is done; False when the server refused it or the tracker was closed."""
        from kdsearch.tracking.runs import is_refusal

        pause, tries = 0.25, 0
        while not self._closed.is_set():
            if not self._may_write():
                self._closed.wait(0.5)
                continue
            try:
                write()
            except Exception as error:
                tries += 1
                if is_refusal(error) or (
                    tries >= TRIES_OF_ONE_WRITE and self._runs is not None and self._runs.is_alive()
                ):
                    self._give_up(what, error)
                    return False
                self._outage.went_away(error)
                self._closed.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self._outage.came_back()
                return True
        return False

    def _give_up(self, what: str, error: Exception) -> None:
        self.undelivered.append(what)
        if len(self.undelivered) == 1:
            self._on_warning(f"MLflow does not take {what}: {short(str(error))}. The ledger has it.")


def _log_previews(runs: SweepRuns, artifacts: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="kdsearch-previews-") as folder:
        if write_previews(artifacts, Path(folder)):
            runs.log_files(Path(folder))


def _yaml(config: Mapping[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
