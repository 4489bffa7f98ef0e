"""Progress on a terminal: one live table, redrawn a few times a second."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.console import Group
from rich.console import RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from kdsearch.progress.formatting import Pace
from kdsearch.progress.formatting import duration_text
from kdsearch.progress.formatting import gain_text
from kdsearch.progress.formatting import metric_text
from kdsearch.progress.formatting import value_text
from kdsearch.progress.snapshot import CountRow
from kdsearch.progress.snapshot import Phase
from kdsearch.progress.snapshot import ProgressSnapshot

REDRAWS_PER_SECOND = 4
BAR_WIDTH = 14


class LiveTable:
    """`update` keeps the snapshot; Live's own thread draws it. A new phase and the first result are drawn at once."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._pace = Pace()
        self._snapshot = ProgressSnapshot(Phase.STARTING)
        self._left: float | None = None
        self._received = clock()
        self._first_done: int | None = None
        self._spinner = Spinner("dots")
        self._live = Live(
            console=console,
            get_renderable=self._render,
            refresh_per_second=REDRAWS_PER_SECOND,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def start(self) -> None:
        self._live.start()

    def update(self, snapshot: ProgressSnapshot) -> None:
        phase_is_new = snapshot.phase is not self._snapshot.phase
        self._left = self._pace.left(snapshot)
        self._snapshot, self._received = snapshot, self._clock()
        if phase_is_new or self._is_first_result(snapshot):
            self._live.refresh()

    def note(self, message: str) -> None:
        self._console.print(Text(message, style="yellow"))

    def stop(self) -> None:
        self._live.stop()

    def _is_first_result(self, snapshot: ProgressSnapshot) -> bool:
        if not snapshot.phase.runs_trials:
            return False
        if self._first_done is None:
            self._first_done = snapshot.done
        if snapshot.done > self._first_done >= 0:
            self._first_done = -1
            return True
        return False

    def _render(self) -> RenderableType:
        snapshot = self._snapshot
        since = 0.0 if snapshot.phase is Phase.DONE else self._clock() - self._received
        parts: list[RenderableType] = [self._head(snapshot, since)]
        if snapshot.counts:
            parts.append(_table(snapshot))
            parts.append(Text(f"labels and best: {metric_text(snapshot.metric)}", style="dim"))
        if snapshot.failures:
            reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(snapshot.failures.items()))
            parts.append(Text(f"failed: {reasons}", style="red"))
        if snapshot.message:
            parts.append(Text(snapshot.message, style="dim"))
        return Group(*parts)

    def _head(self, snapshot: ProgressSnapshot, since: float) -> RenderableType:
        words = [snapshot.phase.value]
        if snapshot.phase.runs_trials or snapshot.phase is Phase.DONE:
            words.append(f"{snapshot.done}/{snapshot.target} trials")
        words.append(f"{duration_text(snapshot.elapsed + since)} elapsed")
        if self._left is not None:
            words.append(f"about {duration_text(max(0.0, self._left - since))} left")
        text = Text(" · ".join(words), style="bold")
        if snapshot.phase is Phase.DONE:
            return text
        self._spinner.update(text=text)
        return self._spinner


def _table(snapshot: ProgressSnapshot) -> Table:
    """One row per sample count; columns that would be empty are left out, so that 80 characters are enough."""
    columns = [column for column in _COLUMNS if column not in ("pruned", "failed") or getattr(snapshot, column)]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(_COLUMNS[column], justify="left" if column in ("bar", "recipe") else "right", no_wrap=True)
    for row in snapshot.counts:
        cells = _cells(snapshot.metric, row)
        table.add_row(*(cells[column] for column in columns))
    return table


_COLUMNS = {
    "n": "n",
    "bar": "",
    "done": "done",
    "running": "run",
    "pruned": "pruned",
    "failed": "failed",
    "labels": "labels",
    "best": "best",
    "gain": "gain",
    "recipe": "recipe",
}


def _cells(metric: str, row: CountRow) -> dict[str, RenderableType]:
    gain = gain_text(metric, row.best.value, row.labels) if row.best and row.labels is not None else "–"
    return {
        "n": str(row.sample_count),
        "bar": ProgressBar(total=max(row.target, 1), completed=min(row.done, row.target), width=BAR_WIDTH),
        "done": f"{row.done}/{row.target}",
        "running": _number(row.running),
        "pruned": _number(row.pruned),
        "failed": Text(_number(row.failed), style="red" if row.failed else ""),
        "labels": value_text(metric, row.labels),
        "best": value_text(metric, row.best.value if row.best else None),
        "gain": Text(gain, style="green" if gain.startswith("+") else ""),
        "recipe": Text(row.best.label if row.best else ""),
    }


def _number(count: int) -> str:
    return str(count) if count else "·"
