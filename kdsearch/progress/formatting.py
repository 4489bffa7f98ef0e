"""How numbers and times are shown, and how long the rest will take."""

from __future__ import annotations

from kdsearch.progress.snapshot import ProgressSnapshot

FEWEST_RESULTS = 3
"""So many results are needed before time left is estimated."""


def value_text(metric: str, value: float | None) -> str:
    """Accuracies as percent, other metrics as they are."""
    if value is None:
        return "–"
    return f"{100 * value:.1f}" if metric.endswith("accuracy") else f"{value:.4g}"


def metric_text(metric: str) -> str:
    """`validation accuracy, %`, `validation nll`."""
    name = metric.replace("val_", "validation ").replace("_", " ")
    return f"{name}, %" if metric.endswith("accuracy") else name


def gain_text(metric: str, value: float, baseline: float) -> str:
    """The improvement over the baseline, signed so that more is better."""
    if metric.endswith("accuracy"):
        return f"{100 * (value - baseline):+.1f}"
    return f"{baseline - value:+.3g}"


def duration_text(seconds: float) -> str:
    """`0:07`, `12:34`, `3:05:00`."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


class Pace:
    """Estimates time left from what this attempt has done since its first trial."""

    def __init__(self) -> None:
        self._start: tuple[float, int] | None = None

    def left(self, snapshot: ProgressSnapshot) -> float | None:
        """Seconds left; None while too little is known."""
        if not snapshot.phase.runs_trials:
            return None
        if self._start is None:
            self._start = (snapshot.elapsed, snapshot.done)
        began, had = self._start
        done = snapshot.done - had
        if done < FEWEST_RESULTS:
            return None
        return max(0, snapshot.target - snapshot.done) * (snapshot.elapsed - began) / done
