"""Accuracy against what it costs: labelled samples, and the student's size."""

from __future__ import annotations

from typing import Any

from kdsearch.report.comparison import accuracy
from kdsearch.report.figures.figure import Figure
from kdsearch.report.figures.figure import thin
from kdsearch.report.figures.figure import thinned
from kdsearch.report.figures.theme import DISTILLED
from kdsearch.report.figures.theme import LABELS
from kdsearch.report.figures.theme import LABELS_ONLY
from kdsearch.report.figures.theme import count_axis
from kdsearch.report.figures.theme import count_colors
from kdsearch.report.figures.theme import top_legend
from kdsearch.report.pareto import FLOPS
from kdsearch.report.pareto import PARAMETERS
from kdsearch.report.results import Results

HEIGHT = 340
DISTILLATION = "distillation"


def pareto_samples(results: Results) -> Figure | None:
    """None with fewer than two sample counts that have an accuracy."""
    trials = _trials(results)
    if len({row["n"] for row in trials}) < 2:
        return None
    import altair as alt

    fronts = _front(
        [(s.sample_count, accuracy(s.best), s.recipe_label) for s in results.summaries if s.best], DISTILLATION
    )
    fronts += _front(
        [(s.sample_count, accuracy(s.labels_trial), LABELS_ONLY) for s in results.summaries if s.labels_trial],
        LABELS_ONLY,
    )
    shown = thin(trials)
    x = alt.X("n:Q", **count_axis(results.sample_counts))
    y = alt.Y("accuracy:Q", title="validation accuracy, %", scale=alt.Scale(zero=False))
    color = alt.Color(
        "who:N",
        scale=alt.Scale(domain=[DISTILLATION, LABELS_ONLY], range=[DISTILLED, LABELS]),
        legend=top_legend(),
    )
    tooltip = [
        alt.Tooltip("who:N", title=" "),
        alt.Tooltip("n:Q", format=",d"),
        alt.Tooltip("accuracy:Q", title="validation accuracy, %", format=".1f"),
        alt.Tooltip("label:N", title="recipe"),
    ]
    front = alt.Chart(alt.Data(values=fronts)).encode(x=x, y=y, color=color, tooltip=tooltip)
    chart = alt.layer(
        alt.Chart(alt.Data(values=shown))
        .mark_tick(orient="horizontal", width=14, thickness=1.2, opacity=0.28, color=DISTILLED)
        .encode(x=x, y=y, tooltip=tooltip),
        front.mark_line(interpolate="step-after", strokeWidth=2.2),
        front.transform_filter("datum.is_own").mark_circle(size=70, opacity=1),
    )
    caption = (
        "What accuracy the search got for how many labelled samples: ticks are searched trials, the stairs the best"
        f" with at most n samples. Single trials on validation, so no intervals.{thinned(shown, trials)}"
    )
    return Figure("pareto_samples", "Accuracy for labelled samples", caption, chart, HEIGHT)


def pareto_cost(results: Results) -> Figure | None:
    """None where all students cost the same."""
    front = [
        {**_cost(point.trial, point.val_accuracy), "is_front": True}
        for summary in results.summaries
        for point in summary.front
    ]
    if not front:
        return None
    import altair as alt

    trials = [
        {**_cost(record, value), "is_front": False}
        for count in results.sample_counts
        for record in results.searched(count)
        if (value := accuracy(record)) is not None and FLOPS in record.metrics
    ]
    shown = thin(trials)
    base = alt.Chart(alt.Data(values=[*shown, *front])).encode(
        x=alt.X(
            "flops:Q",
            title="FLOPs of one forward pass",
            scale=alt.Scale(type="log", nice=False, padding=20),
            axis=alt.Axis(format="~s", labelOverlap=True),
        ),
        y=alt.Y("accuracy:Q", title="validation accuracy, %", scale=alt.Scale(zero=False)),
        color=alt.Color("n:N", scale=count_colors(results.sample_counts), legend=top_legend(columns=6), title=None),
        tooltip=[
            alt.Tooltip("n:N"),
            alt.Tooltip("accuracy:Q", title="validation accuracy, %", format=".1f"),
            alt.Tooltip("flops:Q", title="FLOPs", format=",d"),
            alt.Tooltip("parameters:Q", format=",d"),
            alt.Tooltip("label:N", title="recipe"),
        ],
    )
    is_front = base.transform_filter("datum.is_front")
    chart = alt.layer(
        base.transform_filter("!datum.is_front").mark_circle(size=22, opacity=0.35),
        is_front.mark_line(interpolate="step-after", strokeWidth=2),
        is_front.mark_circle(size=80, opacity=1),
    )
    caption = (
        "Searched students by what they cost; on the stairs no student of the same n is both cheaper and more accurate."
        f" Single trials on validation, so no intervals.{thinned(shown, trials)}"
    )
    return Figure("pareto_cost", "Accuracy for student cost", caption, chart, HEIGHT)


def _trials(results: Results) -> list[dict[str, Any]]:
    return [
        {"n": count, "accuracy": 100 * value, "who": DISTILLATION, "label": record.label}
        for count in results.sample_counts
        for record in results.searched(count)
        if (value := accuracy(record)) is not None
    ]


def _front(points: list[tuple[int, float | None, str | None]], who: str) -> list[dict[str, Any]]:
    """The best accuracy with at most n samples; `is_own` where it is that of n itself."""
    rows: list[dict[str, Any]] = []
    leader: tuple[float, str | None] | None = None
    for count, value, label in points:
        is_own = value is not None and (leader is None or value > leader[0])
        if value is not None and is_own:
            leader = (value, label)
        if leader is not None:
            row = {"n": count, "accuracy": 100 * leader[0], "who": who, "label": leader[1] or "", "is_own": is_own}
            rows.append(row)
    return rows


def _cost(record: Any, value: float) -> dict[str, Any]:
    return {
        "n": str(record.sample_count),
        "accuracy": 100 * value,
        "flops": record.metrics[FLOPS],
        "parameters": record.metrics.get(PARAMETERS),
        "label": record.label,
    }
