"""One sweep's runs on an MLflow server: looked up by tag, created, written, closed.

Importing this module imports MLflow (seconds); only the tracker's thread and `verify` do.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from urllib.parse import urlsplit

from kdsearch.ledger.records import SweepRecord
from kdsearch.sqlite import create_whole
from kdsearch.sqlite import sqlite_file
from kdsearch.tracking.environment import prepare_environment
from kdsearch.tracking.environment import silence_loggers

prepare_environment()

from mlflow import MlflowClient  # noqa: E402  the environment decides what importing MLflow does
from mlflow.entities import Dataset  # noqa: E402
from mlflow.entities import DatasetInput as RunInput  # noqa: E402
from mlflow.entities import ExperimentTag  # noqa: E402
from mlflow.entities import InputTag  # noqa: E402
from mlflow.entities import Metric  # noqa: E402
from mlflow.entities import Param  # noqa: E402
from mlflow.entities import RunStatus  # noqa: E402
from mlflow.entities import RunTag  # noqa: E402
from mlflow.entities import ViewType  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from sqlalchemy import create_engine  # noqa: E402
from sqlalchemy import make_url  # noqa: E402
from sqlalchemy.event import listen  # noqa: E402

from kdsearch.tracking.dataset import CONTEXT  # noqa: E402
from kdsearch.tracking.dataset import DatasetInput  # noqa: E402
from kdsearch.tracking.projection import COLOR  # noqa: E402
from kdsearch.tracking.projection import DUPLICATE  # noqa: E402
from kdsearch.tracking.projection import KIND  # noqa: E402
from kdsearch.tracking.projection import PARENT  # noqa: E402
from kdsearch.tracking.projection import PARENT_KIND  # noqa: E402
from kdsearch.tracking.projection import TRIAL  # noqa: E402
from kdsearch.tracking.projection import UID  # noqa: E402
from kdsearch.tracking.projection import MetricPoint  # noqa: E402
from kdsearch.tracking.projection import Projection  # noqa: E402
from kdsearch.tracking.projection import sweep_tags  # noqa: E402

if TYPE_CHECKING:
    from kdsearch.tracking.models import LoggableStudent

silence_loggers()

ENTITIES_PER_BATCH = 1000
PARAMS_PER_BATCH = 100
PAGE = 1000
_REFUSED = {
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "RESOURCE_DOES_NOT_EXIST",
    "RESOURCE_ALREADY_EXISTS",
}


def is_refusal(error: BaseException) -> bool:
    """Whether trying the same again is pointless: the server understood and said no, or our own code is wrong."""
    if isinstance(error, MlflowException):
        return error.error_code in _REFUSED
    return not (isinstance(error, OSError) or type(error).__module__.startswith(("sqlalchemy", "psycopg")))


@dataclass
class Run:
    """What is remembered of a run of ours."""

    id: str
    status: str
    start: int
    color: str | None = None


class SweepRuns:
    """The parent run of a sweep and its children, by the ledger's trial key.

    Not thread-safe. Any request may raise; every method may be called again after that.
    """

    def __init__(self, tracking_uri: str, experiment: str, artifact_location: str | None, sweep: SweepRecord) -> None:
        _check_database(tracking_uri)
        self._client = MlflowClient(tracking_uri)
        # The store makes one request per call; MlflowClient's own `set_terminated` and `update_run` make two.
        self._store = self._client._tracking_client.store
        _hurry(self._store)
        self._sweep = sweep
        self._children: dict[str, list[Run]] = {}
        self._known_samples: set[DatasetInput] = set()
        self._unanswered: set[str] = set()
        self.experiment_id = self._experiment(experiment, artifact_location)
        self.parent_id = self._parent()

    @property
    def children(self) -> Mapping[str, list[Run]]:
        """All live runs by trial key; more than one means duplicates, oldest first."""
        return self._children

    def ensure(self, projection: Projection) -> Run:
        """The run of a trial, created when there is none."""
        known = self._children.get(projection.trial)
        if known:
            return known[0]
        run = self._find(projection.trial) if projection.trial in self._unanswered else None
        if run is None:
            self._unanswered.add(projection.trial)
            run = self._create(projection)
        self._unanswered.discard(projection.trial)
        self._children[projection.trial] = [run]
        return run

    def open(self, projection: Projection) -> None:
        """The trial's run is there, as RUNNING."""
        self._set_status(self.ensure(projection), "RUNNING")

    def suspend(self, projection: Projection) -> None:
        self._set_status(self.ensure(projection), "SCHEDULED")

    def finish(self, projection: Projection) -> None:
        """Write everything, then the final status: a closed run is a complete one."""
        run = self.ensure(projection)
        self._write(run, projection)
        self._note_samples(projection.dataset)
        self._store.update_run_info(run.id, RunStatus.from_string(projection.status), projection.end, None)
        run.status = projection.status

    def _note_samples(self, said: DatasetInput | None) -> None:
        """The sweep's run lists the samples of its search. (On each trial's it would be a fourth request.)"""
        if said is None or said in self._known_samples:
            return
        dataset = Dataset(said.name, said.digest, "code", said.source, said.schema, said.profile)
        context = InputTag("mlflow.data.context", CONTEXT)
        self._store.log_inputs(self.parent_id, [RunInput(dataset, [context])])
        self._known_samples.add(said)

    def add_metrics(self, projection: Projection, metrics: Sequence[MetricPoint]) -> None:
        """Metrics of a run that has been written."""
        self._log(self.ensure(projection).id, metrics, [], [])

    def recolor(self, run: Run, color: str) -> None:
        """Another sample count moves every count's place on the scale of colors."""
        if run.color != color:
            self._store.set_tag(run.id, RunTag(COLOR, color))
            run.color = color

    def remove_duplicates(self, trial: str, keep: Run) -> None:
        """Mark and (softly) delete all runs of a trial but `keep`."""
        for run in [run for run in self._children[trial] if run is not keep]:
            self._store.set_tag(run.id, RunTag(DUPLICATE, keep.id))
            self._store.delete_run(run.id)
            self._children[trial].remove(run)

    def set_parent(self, status: str, end: int | None, tags: Mapping[str, str]) -> None:
        if tags:
            self.set_parent_tags(tags)
        self._store.update_run_info(self.parent_id, RunStatus.from_string(status), end, None)

    def log_text(self, text: str, name: str) -> None:
        self._client.log_text(self.parent_id, text, name)

    def log_files(self, path: Path) -> None:
        if path.is_dir():
            self._client.log_artifacts(self.parent_id, str(path))
        else:
            self._client.log_artifact(self.parent_id, str(path))

    def log_student(self, student: LoggableStudent, register_as: str | None) -> None:
        """A model of the run of the confirmation that trained it."""
        from kdsearch.tracking.models import log_student

        run = self._children.get(student.trial, [])
        log_student(self._client, self.experiment_id, run[0].id if run else self.parent_id, student, register_as)

    def set_parent_tags(self, tags: Mapping[str, str]) -> None:
        self._store.log_batch(self.parent_id, [], [], [RunTag(key, value) for key, value in tags.items()])

    def add_parent_metrics(self, metrics: Sequence[MetricPoint]) -> None:
        self._log(self.parent_id, metrics, [], [])

    def experiment_tags(self) -> Mapping[str, str]:
        return dict(self._store.get_experiment(self.experiment_id).tags)

    def set_experiment_tags(self, tags: Mapping[str, str]) -> None:
        """Write those that differ."""
        present = self.experiment_tags()
        for key, value in tags.items():
            if present.get(key) != value:
                self._store.set_experiment_tag(self.experiment_id, ExperimentTag(key, value))

    def is_alive(self) -> bool:
        """Whether the server answers a simple question."""
        try:
            self._store.get_run(self.parent_id)
        except Exception:
            return False
        return True

    def _experiment(self, name: str, artifact_location: str | None) -> str:
        found = self._store.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._store.create_experiment(name, artifact_location, []))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            found = self._store.get_experiment_by_name(name)  # another sweep was quicker
            assert found is not None
        if found.lifecycle_stage != "active":
            self._store.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _parent(self) -> str:
        found = self._search(KIND, PARENT_KIND)
        if not found:
            tags = [RunTag(key, value) for key, value in sweep_tags(self._sweep).items()]
            start = int(self._sweep.created.timestamp() * 1000)
            created = self._store.create_run(self.experiment_id, _user(tags), start, tags, self._sweep.name)
            return str(created.info.run_id)
        found.sort(key=lambda run: (run.info.start_time, run.info.run_id))
        parent = str(found[0].info.run_id)
        for duplicate in found[1:]:
            self._store.set_tag(duplicate.info.run_id, RunTag(DUPLICATE, parent))
            self._store.delete_run(duplicate.info.run_id)
        self._children = list_children(self._store, self.experiment_id, self._sweep.uid)
        return parent

    def _find(self, trial: str) -> Run | None:
        found = self._search(TRIAL, trial)
        return min(map(_remembered, found), key=_age) if found else None

    def _search(self, tag: str, value: str) -> list[Any]:
        condition = f"{_is(UID, self._sweep.uid)} and {_is(tag, value)}"
        return list(search_runs(self._store, self.experiment_id, condition))

    def _create(self, projection: Projection) -> Run:
        tags = [RunTag(key, value) for key, value in {**projection.tags, PARENT: self.parent_id}.items()]
        created = self._store.create_run(self.experiment_id, _user(tags), projection.start, tags, projection.name)
        return Run(str(created.info.run_id), "RUNNING", projection.start, projection.tags.get(COLOR))

    def _set_status(self, run: Run, status: str) -> None:
        if run.status != status:
            self._store.update_run_info(run.id, RunStatus.from_string(status), None, None)
            run.status = status

    def _write(self, run: Run, projection: Projection) -> None:
        tags = [RunTag(key, value) for key, value in projection.final_tags.items()]
        params = [Param(key, value) for key, value in projection.params.items()]
        try:
            self._log(run.id, projection.metrics, params, tags)
        except MlflowException as error:
            if error.error_code != "INVALID_PARAMETER_VALUE" or not params:
                raise
            # MLflow never changes a param. One written by another version of kdsearch stays as it is.
            written = self._store.get_run(run.id).data.params
            self._log(run.id, projection.metrics, [param for param in params if param.key not in written], tags)

    def _log(self, run_id: str, metrics: Sequence[MetricPoint], params: Sequence[Any], tags: Sequence[Any]) -> None:
        first_params, room = params[:PARAMS_PER_BATCH], ENTITIES_PER_BATCH - PARAMS_PER_BATCH - len(tags)
        points = [Metric(point.key, point.value, point.time, point.step) for point in metrics]
        self._store.log_batch(run_id, points[:room], first_params, tags)
        for chunk in _chunks(points[room:], ENTITIES_PER_BATCH):
            self._store.log_batch(run_id, chunk, [], [])
        for chunk in _chunks(params[PARAMS_PER_BATCH:], PARAMS_PER_BATCH):
            self._store.log_batch(run_id, [], chunk, [])


def list_children(store: Any, experiment_id: str, uid: str) -> dict[str, list[Run]]:
    """A sweep's live child runs by trial key, oldest first."""
    children: dict[str, list[Run]] = {}
    for run in search_runs(store, experiment_id, _is(UID, uid)):
        trial = run.data.tags.get(TRIAL)
        if trial is not None:
            children.setdefault(trial, []).append(_remembered(run))
    for runs in children.values():
        runs.sort(key=_age)
    return children


def search_runs(store: Any, experiment_id: str, condition: str) -> Iterator[Any]:
    """All live runs that meet `condition`, page by page."""
    token: str | None = None
    while True:
        page = store.search_runs([experiment_id], condition, ViewType.ACTIVE_ONLY, PAGE, None, token)
        yield from page
        token = page.token
        if not token:
            return


def _check_database(tracking_uri: str) -> None:
    """Raise at once where a database can't be reached: MLflow would try for minutes before it says so."""
    if urlsplit(tracking_uri).scheme in ("http", "https"):
        return
    url = make_url(tracking_uri)
    file = sqlite_file(tracking_uri)
    if file is not None:
        create_whole(file, lambda part: MlflowClient(part)._tracking_client.store.engine.dispose())
    engine = create_engine(url)
    try:
        engine.connect().close()
    finally:
        engine.dispose()


def _hurry(store: Any) -> None:
    """On SQLite, don't wait for the disk: a power cut may lose the last writes here, and reconcile mends that from the
    ledger. With a write-ahead log, readers such as the MLflow UI don't hold the writer up either.
    """
    engine = getattr(store, "engine", None)
    if engine is None or engine.dialect.name != "sqlite":
        return

    def configure(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    listen(engine, "connect", configure)
    engine.dispose()  # its open connections are not configured


def _is(tag: str, value: str) -> str:
    return f"tags.`{tag}` = '{value}'"


def _remembered(run: Any) -> Run:
    return Run(str(run.info.run_id), run.info.status, run.info.start_time, run.data.tags.get(COLOR))


def _age(run: Run) -> tuple[int, str]:
    return (run.start, run.id)


def _user(tags: Iterable[Any]) -> str:
    return next((tag.value for tag in tags if tag.key == "mlflow.user"), "unknown")


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def list_statuses(tracking_uri: str, experiment: str, uid: str) -> Iterator[tuple[str | None, str]]:
    """Trial key (None for the sweep's own run) and status of a sweep's live runs; none without the experiment."""
    store = MlflowClient(tracking_uri)._tracking_client.store
    found = store.get_experiment_by_name(experiment)
    if found is not None:
        for run in search_runs(store, str(found.experiment_id), _is(UID, uid)):
            yield run.data.tags.get(TRIAL), run.info.status
