"""`python -m tests.chaos`: the chaos suite in full. Prints a table; the exit code says whether everything held."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos import determinism
from tests.chaos.events import FULL
from tests.chaos.events import Event
from tests.chaos.events import Queue
from tests.chaos.suite import Chaos
from tests.services.stack import new_stack


def main() -> int:
    options = _parser().parse_args()
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:6.0f} s] {text}", flush=True)

    counts = {event: getattr(options, event.name.lower()) for event in Event}
    problems = []
    with tempfile.TemporaryDirectory(prefix="kdc-", ignore_cleanup_errors=True) as folder, new_stack() as services:
        if any(counts.values()):
            chaos = Chaos(services, Path(folder), options.seed, Queue(counts, options.seed), say)
            try:
                chaos.run()
            finally:
                print(chaos.tally.table(), flush=True)
                if options.logs is not None:
                    shutil.copytree(chaos.logs, options.logs, dirs_exist_ok=True)
            problems += chaos.problems
        if options.determinism:
            problems += determinism.problems(services, Path(folder), options.seed, options.determinism, say)
    print(f"{len(problems)} problems, see above" if problems else "everything held")
    return 1 if problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    for event, count in FULL.items():
        parser.add_argument(f"--{event.name.lower()}", type=int, default=count, metavar="COUNT", help=event.value)
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="where to copy the logs of all attempts")
    words = "kills of a sweep with one trial at a time that must change nothing; 0 leaves that out"
    parser.add_argument("--determinism", type=int, default=20, metavar="KILLS", help=words)
    return parser


if __name__ == "__main__":
    sys.exit(main())
