"""Which parameters decide how good a recipe is, at each sample count."""

from __future__ import annotations

from kdsearch.report.figures.figure import Figure
from kdsearch.report.figures.theme import DISTILLED
from kdsearch.report.figures.theme import INK
from kdsearch.report.importance import importances
from kdsearch.report.results import Results

ROW_HEIGHT = 40


def importance(results: Results) -> Figure | None:
    found = importances(results)
    if not found:
        return None
    import altair as alt

    totals: dict[str, float] = {}
    for one in found:
        totals[one.parameter] = totals.get(one.parameter, 0.0) + one.share
    names = sorted(totals, key=lambda name: (-totals[name], name))
    rows = [
        {"n": str(one.sample_count), "parameter": one.parameter, "share": one.share, "trials": one.trials}
        for one in found
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "n:O",
            sort=[str(count) for count in results.sample_counts],
            title="labelled samples n",
            axis=alt.Axis(labelAngle=0, orient="bottom"),
        ),
        y=alt.Y("parameter:N", sort=names, title=None, axis=alt.Axis(labelFontSize=12, labelLimit=160)),
    )
    chart = alt.layer(
        base.mark_rect(cornerRadius=2, stroke="white", strokeWidth=2).encode(
            color=alt.Color("share:Q", scale=alt.Scale(range=["#f1f5f6", DISTILLED], domain=[0, 1]), legend=None),
            tooltip=[
                alt.Tooltip("parameter:N"),
                alt.Tooltip("n:O"),
                alt.Tooltip("share:Q", title="importance", format=".0%"),
                alt.Tooltip("trials:Q", format=",d"),
            ],
        ),
        base.mark_text(fontSize=12).encode(
            text=alt.Text("share:Q", format=".0%"),
            color=alt.when("datum.share > 0.55").then(alt.value("white")).otherwise(alt.value(INK)),
        ),
    )
    fewest = min(one.trials for one in found)
    hint = f" With {fewest} trials it is a hint rather than a measurement." if fewest < 50 else ""
    caption = (
        f"What each searched parameter contributes to getting among the best quarter of the trials of the same"
        f" n, by PED-ANOVA (arXiv 2304.10255); a column adds up to 100 %. No intervals.{hint}"
    )
    return Figure("importance", "What matters", caption, chart, ROW_HEIGHT * len(names) + 10)
