"""How the search got better, trial by trial."""

from __future__ import annotations

from typing import Any

from kdsearch.progress.formatting import metric_text
from kdsearch.report.comparison import is_better
from kdsearch.report.figures.figure import Figure
from kdsearch.report.figures.theme import count_colors
from kdsearch.report.figures.theme import top_legend
from kdsearch.report.results import Results

HEIGHT = 320


def best_so_far(results: Results) -> Figure | None:
    """None before a searched trial has finished."""
    rows = [row for count in results.sample_counts for row in _steps(results, count)]
    if not rows:
        return None
    import altair as alt

    lines = [
        {"n": str(summary.sample_count), "value": _shown(results.metric, summary.labels_trial.value)}
        for summary in results.summaries
        if summary.labels_trial is not None and summary.labels_trial.value is not None
    ]
    scale = count_colors(results.sample_counts)
    color = alt.Color("n:N", scale=scale, legend=top_legend(columns=6), title=None)
    pick = alt.selection_point(name="pick", fields=["n"], bind="legend")
    opacity = alt.when(pick).then(alt.value(1.0)).otherwise(alt.value(0.1))
    value = alt.Y("value:Q", title=f"best {metric_text(results.metric)}", scale=alt.Scale(zero=False))
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "trial:Q",
            title="finished trials of the search",
            axis=alt.Axis(tickMinStep=1, format=",d"),
            scale=alt.Scale(zero=False, nice=False),
        ),
        y=value,
        color=color,
        opacity=opacity,
    )
    chart = alt.layer(
        alt.Chart(alt.Data(values=lines))
        .mark_rule(strokeDash=[3, 3], strokeWidth=1.2)
        .encode(y=value, color=color, opacity=opacity),
        base.mark_line(interpolate="step-after", strokeWidth=2.2),
        base.transform_filter("datum.is_new")
        .mark_circle(size=36, opacity=1)
        .encode(
            tooltip=[
                alt.Tooltip("n:N"),
                alt.Tooltip("trial:Q", title="finished trials", format=",d"),
                alt.Tooltip("value:Q", title=metric_text(results.metric), format=".4~r"),
                alt.Tooltip("label:N", title="recipe"),
            ]
        )
        .add_params(pick),
    )
    caption = (
        "The best value of the search up to each finished trial, by n (click the legend for one alone)"
        + ("; dashed, labels only at the same n." if lines else ".")
        + " Best of single trials on validation: it flatters, and has no interval."
    )
    return Figure("best_so_far", "The search, trial by trial", caption, chart, HEIGHT)


def _steps(results: Results, sample_count: int) -> list[dict[str, Any]]:
    """The trials that were better than all before, and the last: the curve is flat between them."""
    records = sorted(
        results.searched(sample_count), key=lambda record: (record.ended is None, record.ended, record.number)
    )
    rows: list[dict[str, Any]] = []
    leader: float | None = None
    for place, record in enumerate(records, start=1):
        value = record.value
        if value is not None and (leader is None or is_better(results.metric, value, leader)):
            leader = value
            rows.append(_row(results.metric, sample_count, place, value, record.label, is_new=True))
    if leader is not None and rows[-1]["trial"] < len(records):
        rows.append(_row(results.metric, sample_count, len(records), leader, rows[-1]["label"], is_new=False))
    return rows


def _row(metric: str, sample_count: int, trial: int, value: float, label: str, *, is_new: bool) -> dict[str, Any]:
    shown = _shown(metric, value)
    return {"n": str(sample_count), "trial": trial, "value": shown, "label": label, "is_new": is_new}


def _shown(metric: str, value: float) -> float:
    return 100 * value if metric.endswith("accuracy") else value
