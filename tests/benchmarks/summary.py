"""What the measurements of several rounds say: medians, ratios, and the README's table."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from typing import Any

from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.measurement import Measurement

RATIOS = (
    *(("kdsearch", other) for other in ("ray", "ray_reused", "optuna_epochs", "optuna_batch", "floor", "floor_own")),
    ("kdsearch_single", "floor"),
    ("kdsearch_single", "floor_own"),
    ("cnn_kdsearch", "cnn_floor"),
    ("cnn_kdsearch", "cnn_floor_own"),
)
"""What is to be known: how many times as many trials a minute the first trains as the second."""


def summarize(measurements: Sequence[Measurement]) -> dict[str, Any]:
    """Of each contender the medians over rounds; each ratio the median over rounds, since a round is one moment."""
    return {
        "rounds": len({m.round for m in measurements}),
        "cores": os.cpu_count(),
        "medians": {name: _medians(of) for name in CONTENDERS if (of := _of(measurements, name))},
        "ratios": {
            f"{a}/{b}": round(ratio, 3) for a, b in RATIOS if (ratio := median_ratio(measurements, a, b)) is not None
        },
    }


def median_ratio(measurements: Sequence[Measurement], name: str, other: str) -> float | None:
    """None where there is no round with both."""
    first, second = _rates(measurements, name), _rates(measurements, other)
    ratios = [first[r] / second[r] for r in first if r in second]
    return statistics.median(ratios) if ratios else None


def table(measurements: Sequence[Measurement]) -> str:
    """Markdown: of each contender the median rate (lowest to highest), and how kdsearch compares with it."""
    rows = [_row(measurements, name) for name in CONTENDERS if _rates(measurements, name)]
    head = ("sweep", "through", "trials a minute", "kdsearch trains", "first result after", "over after the last")
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(measurements: Sequence[Measurement], name: str) -> tuple[str, ...]:
    contender, of = CONTENDERS[name], _of(measurements, name)
    medians = _medians(of)
    return (
        contender.workload.title,
        contender.title,
        _spread(list(_rates(measurements, name).values())),
        _compared(measurements, name),
        f"{medians['seconds_to_first_result']:.0f} s",
        f"{medians['seconds_after_last_result']:.0f} s",
    )


def _compared(measurements: Sequence[Measurement], name: str) -> str:
    """How many times as many as `name` kdsearch trains on the same workload."""
    workload = CONTENDERS[name].workload
    own = next(other for other in CONTENDERS if CONTENDERS[other].workload == workload)
    ratio = median_ratio(measurements, own, name)
    return "" if ratio is None or own == name else f"{ratio:.1f} ×"


def _spread(rates: Sequence[float]) -> str:
    middle = f"{statistics.median(rates):,.0f}"
    return middle if len(rates) == 1 else f"{middle} ({min(rates):,.0f}–{max(rates):,.0f})"


def _medians(of: Sequence[Measurement]) -> dict[str, float]:
    names = ("trials", "trials_per_minute", "seconds_to_first_result", "seconds_after_last_result", "load_average")
    found = {name: [value for m in of if (value := getattr(m, name)) is not None] for name in names}
    return {name: round(statistics.median(values), 1) for name, values in found.items() if values}


def _of(measurements: Sequence[Measurement], name: str) -> list[Measurement]:
    return [m for m in measurements if m.contender == name]


def _rates(measurements: Sequence[Measurement], name: str) -> dict[int, float]:
    """Trials a minute, by round."""
    return {m.round: m.trials_per_minute for m in _of(measurements, name) if m.trials_per_minute is not None}
