"""Real sweeps in processes of their own, small enough for a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from kdsearch.errors import InputError
from kdsearch.ledger import TrialRecord
from kdsearch.sweep import Sweep
from kdsearch.sweep import load

SMALL = (
    "sample_counts=[20,50]",
    "trials_per_count=3",
    "confirm.top_k=1",
    "confirm.seeds=2",
    "training.steps=40",
    "training.evaluations=4",
    "student.hidden=[8]",
    "teacher.model.hidden=[16]",
    "teacher.training.epochs=3",
)
TARGET = 2 * (3 + 3 + (1 + 3) * 2)
HELD = (
    *(word for word in SMALL if not word.startswith("student.")),
    "sample_counts=[50]",
    "student=custom",
    "student._target_=tests.cluster.held.held",
    "training.steps=200",
    "training.evaluations=20",
    "resources.trials_per_worker=1",
)
"""Trials that take as long as is wanted (`tests.cluster.held.Hold`), one at a time in a worker."""
HELD_TARGET = 3 + 3 + (1 + 3) * 2


@dataclass(frozen=True)
class Locations:
    """Where a shared sweep is kept. Commands are given references; the environment resolves them."""

    storage: str
    ledger: str
    tracking_uri: str

    @property
    def overrides(self) -> tuple[str, ...]:
        references = ("ledger=${oc.env:KDSEARCH_LEDGER}", "mlflow.tracking_uri=${oc.env:KDSEARCH_MLFLOW}")
        return (f"storage={self.storage}", *references)

    @property
    def environment(self) -> dict[str, str]:
        return {"KDSEARCH_LEDGER": self.ledger, "KDSEARCH_MLFLOW": self.tracking_uri}


@dataclass(frozen=True)
class Workplace:
    """A folder in which `kdsearch` commands run, and the Ray cluster they use."""

    folder: Path
    ray_address: str
    locations: Locations | None = None
    """None keeps everything in the folder."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to that of the commands."""
    module: str = "kdsearch"
    """What `python -m` runs as kdsearch."""

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", self.module, *words]

    def sweep_words(self, *overrides: str) -> tuple[str, ...]:
        return ("sweep", *SMALL, f"cluster.address={self.ray_address}", *self._places, *overrides)

    def run(self, *words: str, expect: int = 0, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*words), cwd=self.folder, capture_output=True, text=True, timeout=timeout, env=self._env()
        )
        assert done.returncode == expect, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
        return done

    def sweep(self, *overrides: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        return self.run(*self.sweep_words(*overrides), expect=expect)

    def start_sweep(self, *overrides: str) -> subprocess.Popen[str]:
        """Start the driver and leave it; what it prints can be read from it."""
        return subprocess.Popen(
            self.command(*self.sweep_words(*overrides)),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self._env(),
        )

    def load(self, name: str = "digits") -> Sweep:
        if self.locations is not None:
            return load(name, ledger=self.locations.ledger)
        return load(name, storage=str(self.folder / "kdsearch-data"))

    def status(self, name: str = "digits") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", name, "--json", "--verify", *self._places).stdout)
        return found

    def wait_for(self, enough: Callable[[tuple[TrialRecord, ...]], bool], name: str = "digits") -> None:
        """Wait until the ledger of a running sweep says so."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if enough(self.load(name).records):
                    return
            except InputError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"not in time\n{self.logs()}")

    def logs(self) -> str:
        files = sorted(self.log_files, key=lambda file: file.stat().st_mtime)[-3:]
        return "\n".join(f"{file.name}:\n{file.read_text(errors='replace')[-3000:]}" for file in files)

    @property
    def log_files(self) -> list[Path]:
        """The logs of all attempts: in the temporary folder where the storage is not a local one."""
        if self.locations is None:
            return list((self.folder / "kdsearch-data").glob("sweeps/*/logs/*.log"))
        return list((self._temporary / f"kdsearch-{os.getuid()}").glob("*/logs/*.log"))

    @property
    def _temporary(self) -> Path:
        return Path(self.environment.get("TMPDIR") or tempfile.gettempdir())

    @property
    def _places(self) -> tuple[str, ...]:
        return self.locations.overrides if self.locations else ()

    def _env(self) -> dict[str, str]:
        references = self.locations.environment if self.locations else {}
        return os.environ | {"COLUMNS": "160"} | references | dict(self.environment)


def outline(sweep: Sweep) -> list[tuple[object, ...]]:
    """What must be equal, to the bit, whether or not a sweep was interrupted."""
    return [(r.key, r.state, r.recipe, r.params, r.seed, r.subset_seed, r.value, r.metrics) for r in sweep.records]


def done(count: int) -> Callable[[tuple[TrialRecord, ...]], bool]:
    return lambda records: sum(record.state.is_finished for record in records) >= count
