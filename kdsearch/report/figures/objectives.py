"""Objectives side by side at each sample count."""

from __future__ import annotations

from kdsearch.report.comparison import accuracy
from kdsearch.report.figures.figure import Figure
from kdsearch.report.figures.figure import thin
from kdsearch.report.figures.figure import thinned
from kdsearch.report.figures.theme import DISTILLED
from kdsearch.report.figures.theme import INK
from kdsearch.report.objectives import compare_objectives
from kdsearch.report.results import Results

CELL_WIDTH = 250
ROW_HEIGHT = 26


def objectives(results: Results) -> Figure | None:
    """None where one objective alone was searched."""
    compared = compare_objectives(results)
    names = list(dict.fromkeys(result.objective for result in compared))
    if len(names) < 2:
        return None
    import altair as alt

    trials = [
        {
            "n": r.sample_count,
            "objective": r.recipe.objective,
            "accuracy": 100 * value,
            "title": r.label,
            "kind": "trial",
        }
        for count in results.sample_counts
        for r in results.searched(count)
        if (value := accuracy(r)) is not None
    ]
    shown = thin(trials)
    marks = [
        {
            "n": r.sample_count,
            "objective": r.objective,
            "accuracy": 100 * value,
            "title": f"{kind} of {r.trials}",
            "kind": kind,
        }
        for r in compared
        for kind, value in (("best", r.best), ("median", r.median))
    ]
    x = alt.X(
        "accuracy:Q",
        title="validation accuracy, %",
        scale=alt.Scale(zero=False, nice=False, padding=10),
        axis=alt.Axis(grid=True, tickCount=5),
    )
    y = alt.Y("objective:N", title=None, sort=names, axis=alt.Axis(labelFontSize=12))
    tooltip = [
        alt.Tooltip("objective:N"),
        alt.Tooltip("title:N", title=" "),
        alt.Tooltip("accuracy:Q", title="validation accuracy, %", format=".1f"),
    ]

    def of_kind(kind: str) -> alt.Chart:
        return alt.Chart().transform_filter(f"datum.kind == '{kind}'").encode(x=x, y=y, tooltip=tooltip)

    height = ROW_HEIGHT * len(names) + 14
    chart = (
        alt.layer(
            of_kind("trial").mark_tick(color=DISTILLED, opacity=0.35, thickness=1.5, height=14),
            of_kind("median").mark_tick(color=INK, thickness=2.5, height=20),
            of_kind("best").mark_point(filled=True, size=80, color=DISTILLED, opacity=1, shape="diamond"),
            data=alt.Data(values=[*shown, *marks]),
        )
        .properties(width=CELL_WIDTH, height=height)
        .facet(
            alt.Facet("n:O", title=None, header=alt.Header(labelExpr="'n = ' + format(datum.value, ',')")), columns=3
        )
        .resolve_scale(x="independent")
        .resolve_axis(y="independent")
    )
    caption = (
        "Validation accuracy of every searched trial by objective: a light tick is a trial, the black tick their"
        " median, the diamond the best. Single trials each, so no intervals; the table has the confirmed values."
        + thinned(shown, trials)
    )
    return Figure("objectives", "Objectives", caption, chart, height, CELL_WIDTH)
