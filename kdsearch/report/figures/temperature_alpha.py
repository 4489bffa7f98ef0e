"""Where in the plane of temperature and alpha the good recipes are, at each sample count."""

from __future__ import annotations

import math
from typing import Any

from kdsearch.ledger.records import TrialRecord
from kdsearch.report.comparison import accuracy
from kdsearch.report.figures.figure import Figure
from kdsearch.report.figures.figure import thin
from kdsearch.report.figures.figure import thinned
from kdsearch.report.results import Results

CELL_WIDTH, CELL_HEIGHT = 210, 190
OCTAVE_BINS = 1
"""Bins of temperature for each doubling."""
ALPHA_BINS = 10
"""Bins of alpha in [0, 1]."""
MOST_DOTS = 120
"""Trials drawn in one small multiple."""


def temperature_alpha(results: Results) -> Figure | None:
    """None where fewer than two temperatures or alphas were tried."""
    trials = [r for count in results.sample_counts for r in results.searched(count) if _is_in_the_plane(r)]
    if len({r.recipe.hyperparameters["temperature"] for r in trials}) < 2 or len({r.recipe.alpha for r in trials}) < 2:
        return None
    import altair as alt

    rows: list[dict[str, Any]] = []
    shown = 0
    for count in results.sample_counts:
        of_count = [record for record in trials if record.sample_count == count]
        dots = thin(of_count, MOST_DOTS)
        shown += len(dots)
        rows += _cells(count, of_count) + [_dot(count, record, of_count) for record in dots]
    worst = max(row["regret"] for row in rows if row["is_cell"])
    temperatures = alt.Scale(
        type="log",
        base=2,
        nice=False,
        domain=_span([row["low"] for row in rows if row["is_cell"]], [row["high"] for row in rows if row["is_cell"]]),
    )
    color = alt.Color(
        "regret:Q",
        title="points below the best",
        scale=alt.Scale(type="sqrt", scheme="viridis", reverse=True, domain=[0, max(worst, 0.1)], clamp=True),
        legend=alt.Legend(orient="top", gradientLength=180, gradientThickness=10, format="~r", titleLimit=300),
    )
    tooltip = [
        alt.Tooltip("title:N", title=" "),
        alt.Tooltip("mean:Q", title="validation accuracy, %", format=".1f"),
        alt.Tooltip("regret:Q", title="points below the best trial", format=".1f"),
        alt.Tooltip("trials:Q"),
    ]
    cells = (
        alt.Chart()
        .transform_filter("datum.is_cell")
        .mark_rect()
        .encode(
            x=alt.X("low:Q", scale=temperatures, title="temperature T", axis=alt.Axis(format="~r", tickCount=5)),
            x2="high:Q",
            y=alt.Y("bottom:Q", title="alpha", scale=alt.Scale(domain=_alphas(rows), nice=False)),
            y2="top:Q",
            color=color,
            tooltip=tooltip,
        )
    )
    dots_chart = (
        alt.Chart()
        .transform_filter("!datum.is_cell")
        .mark_point(size=20, filled=True, stroke="white", strokeWidth=0.8, color="#1d2429", opacity=0.8)
        .encode(x=alt.X("low:Q", scale=temperatures), y="bottom:Q", tooltip=tooltip)
    )
    chart = (
        alt.layer(cells, dots_chart, data=alt.Data(values=rows))
        .properties(width=CELL_WIDTH, height=CELL_HEIGHT)
        .facet(
            alt.Facet("n:O", title=None, header=alt.Header(labelExpr="'n = ' + format(datum.value, ',')")), columns=3
        )
        .resolve_axis(x="independent")
    )
    caption = (
        "Mean validation accuracy of the searched trials in each cell, as points below the best trial of the same n"
        " (yellow is best: the scale is the same for all n, and finer near the best); dots are trials."
        f" Single trials each, so no intervals.{thinned(range(shown), trials)}"
    )
    return Figure("temperature_alpha", "Temperature and alpha", caption, chart, CELL_HEIGHT, CELL_WIDTH)


def _is_in_the_plane(record: TrialRecord) -> bool:
    return record.recipe.hyperparameters.get("temperature", 0) > 0 and accuracy(record) is not None


def _cells(count: int, records: list[TrialRecord]) -> list[dict[str, Any]]:
    best = max((accuracy(record) or 0.0 for record in records), default=0.0)
    found: dict[tuple[int, int], list[float]] = {}
    for record in records:
        place = math.floor(OCTAVE_BINS * math.log2(record.recipe.hyperparameters["temperature"]))
        level = min(ALPHA_BINS - 1, math.floor(ALPHA_BINS * record.recipe.alpha + 1e-9))
        found.setdefault((place, level), []).append(accuracy(record) or 0.0)
    return [
        {
            "is_cell": True,
            "n": count,
            "low": 2 ** (place / OCTAVE_BINS),
            "high": 2 ** ((place + 1) / OCTAVE_BINS),
            "bottom": level / ALPHA_BINS,
            "top": (level + 1) / ALPHA_BINS,
            "mean": 100 * sum(values) / len(values),
            "regret": 100 * (best - sum(values) / len(values)),
            "trials": len(values),
            "title": f"T {2 ** (place / OCTAVE_BINS):.3g}–{2 ** ((place + 1) / OCTAVE_BINS):.3g},"
            f" alpha {level / ALPHA_BINS:.1f}–{(level + 1) / ALPHA_BINS:.1f}",
        }
        for (place, level), values in sorted(found.items())
    ]


def _dot(count: int, record: TrialRecord, records: list[TrialRecord]) -> dict[str, Any]:
    best = max(accuracy(other) or 0.0 for other in records)
    own = accuracy(record) or 0.0
    return {
        "is_cell": False,
        "n": count,
        "low": record.recipe.hyperparameters["temperature"],
        "bottom": record.recipe.alpha,
        "mean": 100 * own,
        "regret": 100 * (best - own),
        "trials": 1,
        "title": record.label,
    }


def _span(lows: list[float], highs: list[float]) -> list[float]:
    return [min(lows), max(highs)]


def _alphas(rows: list[dict[str, Any]]) -> list[float]:
    return _span([row["bottom"] for row in rows if row["is_cell"]], [row["top"] for row in rows if row["is_cell"]])
