"""kdsearch with everything on, as a user starts it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.contenders.ends import Ends
from tests.benchmarks.contenders.ends import complete
from tests.benchmarks.contenders.workload import STORAGE
from tests.benchmarks.contenders.workload import Workload

NAME = "head_to_head"
PACK_SIZE = "resources.trials_per_worker"


def run(
    workload: Workload,
    material: Path,
    folder: Path,
    trials_per_count: int,
    overrides: Sequence[str],
    *,
    is_packed: bool = True,
    is_teacher_given: bool = False,
) -> Ends:
    """
    Args:
        overrides: further ones of the sweep.
        is_packed: whether a worker may train several trials together.
        is_teacher_given: whether the sweep finds its teacher in the storage; else it trains it.
    """
    import kdsearch

    storage = folder / STORAGE
    if is_teacher_given:
        shutil.copytree(material / STORAGE, storage)
    if not is_packed:
        overrides = [*(word for word in overrides if not word.startswith(PACK_SIZE)), f"{PACK_SIZE}=1"]
    wanted = [f"name={NAME}", f"trials_per_count={trials_per_count}", *workload.sweep(storage), *overrides]
    # Standard output is for measurements.
    subprocess.run([sys.executable, "-m", "kdsearch", "sweep", *wanted], check=True, stdout=sys.stderr)
    finished = time.time()
    trials = kdsearch.load(NAME, storage=str(storage)).trials
    done = trials[trials["state"] == "COMPLETE"]
    return Ends([complete((end.timestamp() for end in done["ended"]), len(trials))], finished)
