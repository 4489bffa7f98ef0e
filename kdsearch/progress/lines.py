"""Progress without a terminal: single lines, few enough for a log file."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Iterator

from rich.console import Console

from kdsearch.progress.formatting import Pace
from kdsearch.progress.formatting import duration_text
from kdsearch.progress.formatting import gain_text
from kdsearch.progress.formatting import value_text
from kdsearch.progress.snapshot import CountRow
from kdsearch.progress.snapshot import Phase
from kdsearch.progress.snapshot import ProgressSnapshot

SHORTEST_PAUSE = 3.0
LONGEST_PAUSE = 30.0
"""Seconds between two lines: never less than the first, never more than the second while trials end."""
STEPS = 10


class Lines:
    """A line per phase, one for the first result, then one per tenth of the target or per half minute."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._pace = Pace()
        self._phase: Phase | None = None
        self._message = ""
        self._first_done: int | None = None
        self._printed_done = -1
        self._printed_step = 0
        self._printed_at = float("-inf")
        self._last: ProgressSnapshot | None = None

    def start(self) -> None:
        pass

    def update(self, snapshot: ProgressSnapshot) -> None:
        self._last = snapshot
        left = self._pace.left(snapshot)
        if snapshot.phase is not self._phase or (snapshot.message and snapshot.message != self._message):
            self._phase, self._message = snapshot.phase, snapshot.message
            self._print_phase(snapshot)
        if snapshot.phase.runs_trials and self._is_due(snapshot):
            self._print_counts(snapshot, left)

    def note(self, message: str) -> None:
        self._print(message)

    def stop(self) -> None:
        nothing_ran = self._last is None or self._first_done is None
        if self._last is not None and not nothing_ran and self._last.done not in (self._printed_done, self._first_done):
            self._print_counts(self._last, None)

    def _is_due(self, snapshot: ProgressSnapshot) -> bool:
        if self._first_done is None:
            self._first_done = snapshot.done
            self._printed_step = self._step(snapshot)
        if snapshot.done == self._first_done or snapshot.done == self._printed_done:
            return False
        if self._printed_done < 0:
            return True
        since = self._clock() - self._printed_at
        return since >= LONGEST_PAUSE or (since >= SHORTEST_PAUSE and self._step(snapshot) > self._printed_step)

    def _step(self, snapshot: ProgressSnapshot) -> int:
        return STEPS * snapshot.done // snapshot.target if snapshot.target else 0

    def _print_phase(self, snapshot: ProgressSnapshot) -> None:
        words = [snapshot.phase.value]
        if snapshot.phase.runs_trials:
            words.append(f"({snapshot.done} of {snapshot.target} trials done)")
        if snapshot.message:
            words.append(f"- {snapshot.message}")
        self._print(f"[{duration_text(snapshot.elapsed)}] {' '.join(words)}")

    def _print_counts(self, snapshot: ProgressSnapshot, left: float | None) -> None:
        self._printed_done, self._printed_step = snapshot.done, self._step(snapshot)
        self._printed_at = self._clock()
        parts = [", ".join(_counts(snapshot)), *([f"about {duration_text(left)} left"] if left is not None else [])]
        results = [text for row in snapshot.counts if (text := _result(snapshot.metric, row))]
        line = f"[{duration_text(snapshot.elapsed)}] {' · '.join(parts)}"
        self._print(line + (f" · {'; '.join(results)}" if results else ""))

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _counts(snapshot: ProgressSnapshot) -> Iterator[str]:
    yield f"{snapshot.done}/{snapshot.target} trials"
    if snapshot.running:
        yield f"{snapshot.running} running"
    if snapshot.pruned:
        yield f"{snapshot.pruned} pruned"
    if snapshot.failed:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(snapshot.failures.items()))
        yield f"{snapshot.failed} failed" + (f" ({reasons})" if reasons else "")


def _result(metric: str, row: CountRow) -> str:
    """`n=50 labels 77.6, best 87.5 (+9.9)`."""
    labels = "" if row.labels is None else f"labels {value_text(metric, row.labels)}"
    if row.best is None:
        return f"n={row.sample_count} {labels}" if labels else ""
    gain = "" if row.labels is None else f" ({gain_text(metric, row.best.value, row.labels)})"
    return f"n={row.sample_count} {labels + ', ' if labels else ''}best {value_text(metric, row.best.value)}{gain}"
