"""How far students do as their teacher does, and how good their probabilities are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kdsearch.report.figures.figure import Figure
from kdsearch.report.figures.theme import BEST_RECIPE
from kdsearch.report.figures.theme import LABELS_ONLY
from kdsearch.report.figures.theme import count_axis
from kdsearch.report.figures.theme import top_legend
from kdsearch.report.figures.theme import who_colors
from kdsearch.report.results import Results
from kdsearch.report.statistics import Estimate
from kdsearch.report.summary import CountSummary

CELL_WIDTH, CELL_HEIGHT = 330, 190


@dataclass(frozen=True)
class Panel:
    metric: str
    """Without its split."""
    title: str
    scale: float = 1.0


PANELS = (
    Panel("agreement", "agreement with the teacher, %", 100),
    Panel("hellinger", "Hellinger distance to the teacher"),
    Panel("ece", "calibration error (ECE), %", 100),
    Panel("nll", "negative log-likelihood, nats"),
)


def fidelity(results: Results) -> Figure | None:
    """None where none of it was recorded."""
    panels = [(panel, rows) for panel in PANELS if (rows := _rows(results, panel))]
    if not panels:
        return None
    import altair as alt

    def draw(panel: Panel, rows: list[dict[str, Any]]) -> alt.LayerChart:
        value = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
        base = alt.Chart(alt.Data(values=rows)).encode(
            x=alt.X("n:Q", **count_axis(results.sample_counts)),
            color=alt.Color("who:N", scale=who_colors([]), legend=top_legend(), title=None),
        )
        layers = alt.layer(
            base.transform_filter("isValid(datum.low)").mark_area(opacity=0.16).encode(y="low:Q", y2="high:Q"),
            base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1).encode(y="low:Q", y2="high:Q"),
            base.mark_line(strokeWidth=2.2).encode(y=value),
            base.mark_circle(size=55, opacity=1).encode(
                y=value,
                tooltip=[
                    alt.Tooltip("who:N", title=" "),
                    alt.Tooltip("n:Q", format=",d"),
                    alt.Tooltip("value:Q", title=panel.title, format=".4~r"),
                    alt.Tooltip("half:Q", title="± (95 %)", format=".2~r"),
                    alt.Tooltip("split:N", title="measured on"),
                ],
            ),
        )
        return layers.properties(
            width=CELL_WIDTH,
            height=CELL_HEIGHT,
            title=alt.Title(panel.title, fontSize=12, fontWeight="bold", anchor="start", frame="group"),
        )

    chart = alt.concat(*(draw(panel, rows) for panel, rows in panels), columns=2)
    seeds = [row["half"] for _, rows in panels for row in rows]
    bands = (
        "bands are 95 % t-intervals" if any(half is not None for half in seeds) else "single trials, so no intervals"
    )
    caption = (
        "Whether students predict what the teacher predicts (agreement, Hellinger distance; on validation) and whether"
        f" their confidence can be trusted (ECE, NLL; lower is better); {bands}."
    )
    return Figure("fidelity", "Fidelity and calibration", caption, chart, CELL_HEIGHT, CELL_WIDTH)


def _rows(results: Results, panel: Panel) -> list[dict[str, Any]]:
    return [
        row
        for summary in results.summaries
        for who, key in ((BEST_RECIPE, "distilled"), (LABELS_ONLY, "labels"))
        if (row := _row(summary, panel, who, key)) is not None
    ]


def _row(summary: CountSummary, panel: Panel, who: str, key: str) -> dict[str, Any] | None:
    value, split = _estimate(summary, panel, key)
    if value is None:
        return None
    has_interval = value.ci95 is not None
    return {
        "n": summary.sample_count,
        "who": who,
        "value": panel.scale * value.mean,
        "low": panel.scale * value.low if has_interval else None,
        "high": panel.scale * value.high if has_interval else None,
        "half": panel.scale * value.ci95 if value.ci95 is not None else None,
        "split": split,
    }


def _estimate(summary: CountSummary, panel: Panel, key: str) -> tuple[Estimate | None, str]:
    """Of the confirmed students; of a sample count that is not confirmed, of the searched one."""
    metrics = summary.metrics.get(key, {})
    for split in ("test", "val"):
        if (value := metrics.get(f"{split}_{panel.metric}")) is not None:
            return value, "validation" if split == "val" else split
    trial = summary.best if key == "distilled" else summary.labels_trial
    found = trial.metrics.get(f"val_{panel.metric}") if trial is not None and not summary.metrics else None
    return (None if found is None else Estimate(float(found), None, 1)), "validation"
