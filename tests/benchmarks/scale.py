"""What a sweep of ten thousand trials costs its driver, the ledger and the reader, without the hardware.

    python -m tests.benchmarks.scale [--trials 10000] [--workers 100] [--tracking] [--resume] [OVERRIDE …]

Virtual workers (`tests.simulation`) train the default digits sweep over three sample counts: attempt, samplers,
pruners, ledger, progress view and, with `--tracking`, the tracker are the real ones. Prints one JSON line per
measurement: driver ms per trial in windows along the sweep, the ledger's bytes, memory, and the seconds of `status`,
`report` and the next attempt's start, each in a process of its own. `--resume` has the real `kdsearch resume` go on,
with Ray and students, to its first new trial. Times are wall and processor; on a busy machine compare the processor's.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

import optuna
from rich.console import Console

from kdsearch.config.compose import Composed
from kdsearch.config.compose import apply_overrides
from kdsearch.config.compose import compose_sweep
from kdsearch.ledger import SweepState
from kdsearch.ledger import open_ledger
from kdsearch.progress import Phase
from kdsearch.progress import Tally
from kdsearch.progress import make_progress
from kdsearch.search.attempt import Attempt
from kdsearch.search.observers import Gains
from kdsearch.search.observers import Screen
from kdsearch.search.observers import TrackerObserver
from kdsearch.search.plan import planned_target
from kdsearch.search.plan import targets_by_count
from kdsearch.search.spool import Spool
from kdsearch.tracking import Tracker
from kdsearch.tracking.findings import Findings
from tests.simulation.cluster import Cluster

NAME = "scale"
SAMPLE_COUNTS = (50, 200, 1000)
MARKS = (100, 300, 1_000, 3_000, 10_000)
SHARE_OF_WINDOW = 0.1
NARROWEST_WINDOW = 100
TRACKER_SECONDS = 1800.0


@dataclass
class Profile:
    """What the driver had spent when so many trials had ended."""

    cluster: Cluster
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def note(self, ended: int) -> None:
        if ended >= len(self.wall):
            self.wall.append(self.cluster.costs.wall)
            self.cpu.append(self.cluster.costs.cpu)

    def milliseconds(self, mark: int) -> dict[str, float]:
        """Per trial, over a window around `mark`."""
        half = max(NARROWEST_WINDOW, int(SHARE_OF_WINDOW * mark)) // 2
        last = len(self.wall) - 1
        end = min(last, mark + half)
        begin = max(0, end - 2 * half)
        return {
            kind: round(1000 * (spent[end] - spent[begin]) / (end - begin), 2)
            for kind, spent in (("wall", self.wall), ("cpu", self.cpu))
        }


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--tracking", action="store_true", help="write MLflow, and count its requests")
    parser.add_argument("--resume", action="store_true", help="go on with Ray to the first new trial")
    parser.add_argument("--storage", type=Path, help="a folder to keep; else a temporary one")
    parser.add_argument(
        "--reopen", action="store_true", help="only the next attempt's start, without Ray; needs --storage"
    )
    options, overrides = parser.parse_known_args(arguments)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if options.reopen:
        _reopen(options.storage)
        return
    with _folder(options.storage) as folder:
        composed = _compose(folder, options.trials, overrides)
        _simulate(composed, options.workers, tracking=options.tracking)
        _read(folder, composed, resume=options.resume)


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="kdsearch-scale-") as folder:
        yield Path(folder)


def _compose(folder: Path, trials: int, overrides: Sequence[str]) -> Composed:
    counts = ",".join(map(str, SAMPLE_COUNTS))
    return compose_sweep(
        [
            *(
                f"name={NAME}",
                f"storage={folder}",
                f"sample_counts=[{counts}]",
                "confirm.top_k=0",
                "training.epochs=20",
            ),
            *(f"trials_per_count={-(-trials // len(SAMPLE_COUNTS))}", "student.hidden=[32,32]", *overrides),
        ]
    )


def _simulate(composed: Composed, workers: int, *, tracking: bool) -> None:
    """Run the sweep to its end, and print what it cost."""
    config = composed.config
    ledger = open_ledger(config.ledger, create=True)
    sweep = ledger.create_sweep(config.name, composed.stored, planned_target(config))
    progress = make_progress(Console(file=io.StringIO()))
    screen = Screen(progress, Tally(targets_by_count(config), config.search.metric))
    tracker = Tracker(
        *(config.mlflow.tracking_uri or "", config.name, sweep, composed.stored, print, config.mlflow.patience),
        str(Path(config.storage) / "mlflow-artifacts"),
    )
    followers = (TrackerObserver(tracker, Gains(config.search.metric)), screen) if tracking else (screen,)
    requests = _count_requests() if tracking else []
    attempt = Attempt(ledger, config, 1, _spool(composed), followers)
    attempt.open()
    screen.enter(Phase.SEARCHING)
    cluster = Cluster(attempt, workers)
    profile = Profile(cluster)
    cluster.on_event = profile.note
    began = time.perf_counter()
    cluster.run()
    profile.note(cluster.ended)
    seconds = time.perf_counter() - began
    marks = [mark for mark in MARKS if mark <= 1.01 * cluster.ended]
    _print("driver_ms_per_trial", cpu={mark: profile.milliseconds(mark)["cpu"] for mark in marks})
    _print("driver_ms_per_trial", wall={mark: profile.milliseconds(mark)["wall"] for mark in marks})
    states = {state: sum(r.state.value == state for r in attempt.records) for state in ("COMPLETE", "PRUNED", "FAIL")}
    _print("simulation", trials=cluster.ended, states=states, virtual_s=round(cluster.clock), seconds=round(seconds, 1))
    if tracking:
        began = time.perf_counter()
        delivered = tracker.finish(SweepState.COMPLETE, Findings("simulated"), None, TRACKER_SECONDS)
        lag = time.perf_counter() - began
        _print(
            "mlflow",
            delivered=delivered,
            requests_per_trial=round(len(requests) / cluster.ended, 3),
            lag_s=round(lag, 1),
        )
        tracker.close()
    ledger.update_sweep(config.name, target=attempt.target, state=SweepState.COMPLETE)
    _print("driver_rss_mb", value=_rss())
    ledger.close()


def _spool(composed: Composed) -> Spool:
    return Spool(Path(composed.config.storage) / "results.jsonl")


def _count_requests() -> list[str]:
    """The names of the calls that the tracker makes to MLflow's store from now on, one per request."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    made: list[str] = []

    def counted(name: str) -> None:
        original = getattr(SqlAlchemyStore, name)

        def call(*args: object, **kwargs: object) -> object:
            made.append(name)
            return original(*args, **kwargs)

        setattr(SqlAlchemyStore, name, call)

    for name in ("create_run", "log_batch", "log_inputs", "update_run_info", "set_tag", "search_runs", "get_run"):
        counted(name)
    return made


def _read(folder: Path, composed: Composed, *, resume: bool) -> None:
    database = folder / "ledger.db"
    size = sum(file.stat().st_size for file in folder.glob("ledger.db*"))
    _print("ledger_bytes", total=size, file=database.stat().st_size)
    for name, words in (
        ("status", ["status", NAME, f"storage={folder}"]),
        ("status_json", ["status", NAME, f"storage={folder}", "--json"]),
        ("report", ["report", NAME, f"storage={folder}"]),
    ):
        _print(name, **_timed([sys.executable, "-m", "kdsearch", *words]))
    subprocess.run([sys.executable, "-m", "tests.benchmarks.scale", "--reopen", f"--storage={folder}"], check=True)
    if resume:
        _print("resume", **_resume(folder, composed))


def _reopen(folder: Path) -> None:
    """What the next attempt does before its first trial goes out, but for Ray's start: in this process."""
    began = _now()
    ledger = open_ledger(f"sqlite:///{folder}/ledger.db")
    sweep = ledger.sweep(NAME)
    assert sweep is not None
    more = [f"trials_per_count={sweep.config['trials_per_count'] + 1}"]
    composed = apply_overrides(sweep.config, more)
    attempt = Attempt(ledger, composed.config, 2, _spool(composed))
    attempt.open()
    Tally(targets_by_count(composed.config), composed.config.search.metric).add(attempt.records)
    records = ledger.trials(NAME)
    assert attempt.next_pack() is not None
    attempt.suspend_all()
    _print("reopen", trials=len(records), **_since(began), rss_mb=_rss())
    ledger.close()


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(began: tuple[float, float]) -> dict[str, float]:
    wall, cpu = _now()
    return {"wall_s": round(wall - began[0], 2), "cpu_s": round(cpu - began[1], 2)}


def _rss() -> int:
    """The most memory that this process had, in MiB."""
    # Linux's `ru_maxrss` of a new process begins with its parent's.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def _timed(command: Sequence[str]) -> dict[str, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": round(wall, 2), "cpu_s": round(cpu, 2)}


def _resume(folder: Path, composed: Composed) -> dict[str, float]:
    """Seconds from the command's start to the start of the first new trial, by the ledger's clock."""
    more = composed.config.trials_per_count + 1
    began = time.time()
    command = [sys.executable, "-m", "kdsearch", "resume", NAME, f"storage={folder}", f"trials_per_count={more}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    ledger = open_ledger(composed.config.ledger)
    new = [trial.started.timestamp() for trial in ledger.trials(NAME) if trial.started and trial.attempts[0] != 1]
    ledger.close()
    return {"to_first_new_trial_s": round(min(new) - began, 1), "new_trials": len(new)}


def _print(what: str, **values: object) -> None:
    print(json.dumps({"what": what, **values}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
