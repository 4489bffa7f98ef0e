"""One run of one contender, in a process and a temporary folder of its own, and what was measured of it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.contenders.__main__ import ENDS
from tests.benchmarks.contenders.ends import Ends
from tests.benchmarks.contenders.workload import Workload

REPOSITORY = Path(__file__).parents[2]
TEMPORARY = "kdb-"
"""Short: Ray's sockets lie in it, and their paths may have 107 characters."""


@dataclass(frozen=True)
class Measurement:
    contender: str
    round: int
    trials: int
    trials_per_minute: float | None
    """Of the steady state, from the first trial's end to the last's; None where too few trials ended in it."""
    seconds_to_first_result: float
    """From the start of the process."""
    seconds_after_last_result: float
    load_average: float
    """Of the machine in the minute before; a quiet one has less than 1."""


def measure(
    name: str, round_: int, trials_per_count: int, workload: Workload, material: Path, overrides: Sequence[str] = ()
) -> Measurement:
    """
    Raises:
        CalledProcessError: the contender failed; what it printed is on standard error.
    """
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
        began = time.time()
        ends = _run(name, trials_per_count, workload, material, Path(folder), overrides)
    rate = ends.per_minute
    return Measurement(
        contender=name,
        round=round_,
        trials=ends.trials,
        trials_per_minute=None if rate is None else round(rate, 1),
        seconds_to_first_result=round(ends.first - began, 1),
        seconds_after_last_result=round(ends.finished - ends.last, 1),
        load_average=round(load, 1),
    )


def _run(
    name: str, trials_per_count: int, workload: Workload, material: Path, folder: Path, overrides: Sequence[str]
) -> Ends:
    words = [name, json.dumps(dataclasses.asdict(workload)), str(material), str(folder), str(trials_per_count)]
    subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.contenders", *words, *overrides],
        check=True,
        cwd=REPOSITORY,
        env=_environment(folder),
        stdout=sys.stderr,
    )
    return Ends(**json.loads((folder / ENDS).read_text()))


def _environment(folder: Path) -> dict[str, str]:
    """Temporary files in the folder, no word to the makers of Ray and MLflow, one thread per process."""
    return os.environ | {
        "TMPDIR": str(folder),
        "RAY_TMPDIR": str(folder),
        "RAY_USAGE_STATS_ENABLED": "0",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "OMP_NUM_THREADS": "1",
    }
