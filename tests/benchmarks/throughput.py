"""How many trials a minute the whole of kdsearch trains: ledger, MLflow and every feature on.

    python -m tests.benchmarks.throughput [TRIALS_PER_COUNT] [OVERRIDE …]

Runs the digits sweep of 20 epochs on three sample counts in a fresh folder, as a user would, and prints one JSON line.
The rate is of the steady state: from the first trial's end to the last's, as the ledger has them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time

import kdsearch


def main() -> None:
    trials_per_count, *overrides = sys.argv[1:] or ["100"]
    with tempfile.TemporaryDirectory(prefix="kdsearch-benchmark-") as folder:
        began = time.time()
        subprocess.run(
            [
                *(sys.executable, "-m", "kdsearch", "sweep", "name=throughput", f"storage={folder}"),
                *("sample_counts=[50,200,1000]", f"trials_per_count={trials_per_count}", "training.epochs=20"),
                *("training.batch_size=64", "student.hidden=[32,32]", "confirm.top_k=0", *overrides),
            ],
            check=True,
        )
        wall = time.time() - began
        trials = kdsearch.load("throughput", storage=folder).trials
    ended = trials["ended"].sort_values()
    seconds = (ended.iloc[-1] - ended.iloc[0]).total_seconds()
    print(
        json.dumps(
            {
                "trials": len(trials),
                "trials_per_minute": round(60 * (len(trials) - 1) / seconds, 1),
                "seconds_to_first_result": round(ended.iloc[0].timestamp() - began, 1),
                "seconds_after_last_result": round(began + wall - ended.iloc[-1].timestamp(), 1),
                "states": trials["state"].value_counts().to_dict(),
            }
        )
    )


if __name__ == "__main__":
    main()
