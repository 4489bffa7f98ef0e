"""The data-efficiency curve read horizontally: how many times the labels labels-only training needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdsearch.report.content import Content
from kdsearch.report.figures.figure import Figure
from kdsearch.report.figures.theme import DISTILLED
from kdsearch.report.figures.theme import SOFT
from kdsearch.report.figures.theme import count_axis
from kdsearch.report.labels_saved import LabelsSaved
from kdsearch.report.wording import times

HEIGHT = 300
KINDS = {"measured": "circle", "at least": "triangle-up", "at most": "triangle-down"}


def labels_saved(content: Content) -> Figure | None:
    results = content.results
    saved = content.labels_saved
    if not saved:
        return None
    import altair as alt

    recipes = {summary.sample_count: summary.recipe_label for summary in results.summaries}
    rows = [_row(found, recipes[found.sample_count] or "") for found in saved]
    kinds = [kind for kind in KINDS if any(row["kind"] == kind for row in rows)]
    reach = [float(row[key]) for row in rows for key in ("value", "low", "high") if row[key] is not None]
    scale = alt.Scale(type="log", base=2, domain=[min(0.8, *reach) / 1.1, max(2.0, *reach) * 1.25], nice=False)
    value = alt.Y(
        "value:Q", scale=scale, title="labels needed without distillation / n", axis=alt.Axis(format="~r", tickCount=6)
    )
    base = alt.Chart().encode(x=alt.X("n:Q", **count_axis(results.sample_counts, margin=1.3)))
    chart = alt.layer(
        alt.Chart(alt.Data(values=[{"one": 1.0}])).mark_rule(strokeDash=[7, 4], color=SOFT).encode(y="one:Q"),
        base.mark_line(color=DISTILLED, opacity=0.35, strokeWidth=2).encode(y=value),
        base.transform_filter("datum.has_interval")
        .mark_rule(color=DISTILLED, strokeWidth=1.6)
        .encode(y=alt.Y("low:Q", scale=scale), y2="high:Q"),
        base.mark_point(filled=True, size=90, color=DISTILLED, opacity=1).encode(
            y=value,
            shape=alt.Shape(
                "kind:N",
                scale=alt.Scale(domain=kinds, range=[KINDS[kind] for kind in kinds]),
                legend=alt.Legend(orient="top", title=None) if kinds != ["measured"] else None,
            ),
            tooltip=[
                alt.Tooltip("n:Q", format=",d"),
                alt.Tooltip("text:N", title="data efficiency"),
                alt.Tooltip("needed:Q", title="labels needed", format=",.0f"),
                alt.Tooltip("interval:N", title="95 % bootstrap interval"),
                alt.Tooltip("reason:N", title="note"),
                alt.Tooltip("recipe:N"),
            ],
        ),
        base.mark_text(dy=-9, dx=9, align="left", fontSize=12, color=DISTILLED, fontWeight="bold").encode(
            y=value, text="short:N"
        ),
        data=alt.Data(values=rows),
    )
    return Figure("labels_saved", "Labels saved", _caption(saved), chart, HEIGHT)


def _row(found: LabelsSaved, recipe: str) -> dict[str, Any]:
    efficiency = found.efficiency
    is_beyond = efficiency.value is None
    value = efficiency.at_least if efficiency.value is None else efficiency.value
    kind = "at least" if is_beyond else ("at most" if efficiency.reason else "measured")
    # An interval whose end lies beyond the curve is drawn up to where the curve ends: the value itself.
    low, high = (found.low, found.high) if found.has_interval else (None, None)
    return {
        "n": found.sample_count,
        "value": value,
        "kind": kind,
        "needed": (value or 0.0) * found.sample_count,
        "text": times(efficiency),
        "short": times(efficiency).removesuffix(" labels").removeprefix("≈ "),
        "has_interval": found.has_interval,
        "low": value if found.has_interval and low is None else low,
        "high": value if found.has_interval and high is None else high,
        "interval": interval_text(found),
        "reason": efficiency.reason or "",
        "recipe": recipe,
    }


def interval_text(found: LabelsSaved) -> str:
    """`3.1× to 6.0×`; an end that lies beyond the labels-only curve is said to."""
    if not found.has_interval:
        return "–"
    ends = ["beyond the curve" if end is None else f"{end:.1f}×" for end in (found.low, found.high)]
    return " to ".join(ends)


def _caption(saved: Sequence[LabelsSaved]) -> str:
    interval = (
        "Vertical lines are 95 % percentile bootstrap intervals over replicates."
        if any(found.has_interval for found in saved)
        else "There are no intervals: too few seeds, or all beyond the curve."
    )
    bounds = ""
    if any(found.efficiency.value is None or found.efficiency.reason for found in saved):
        bounds = " Triangles are bounds: the labels-only curve starts above, or never gets there."
    return (
        "How many labelled samples labels-only training would need for the distilled accuracy, divided by n; above the"
        f" dashed line distillation saves labels. {interval}{bounds}"
    )
