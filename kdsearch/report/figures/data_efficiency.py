"""Accuracy against the number of labelled samples: the paper's picture."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from kdsearch.report.content import Content
from kdsearch.report.figures.figure import Figure
from kdsearch.report.figures.theme import BEST_RECIPE
from kdsearch.report.figures.theme import CONTROLS
from kdsearch.report.figures.theme import LABELS_ONLY
from kdsearch.report.figures.theme import TEACHER_LINE
from kdsearch.report.figures.theme import count_axis
from kdsearch.report.figures.theme import top_legend
from kdsearch.report.figures.theme import who_colors
from kdsearch.report.results import Results
from kdsearch.report.statistics import Estimate
from kdsearch.report.summary import CountSummary
from kdsearch.report.wording import percent

HEIGHT = 380


def data_efficiency(content: Content) -> Figure | None:
    """Labels only, the best recipe, controls and teacher, with 95 % bands where there are several seeds."""
    results = content.results
    controls = drawn_controls(results.summaries)
    rows = [row for summary in results.summaries for row in _rows(summary, controls)]
    if not rows:
        return None
    import altair as alt

    teacher = teacher_accuracy(results)
    color = alt.Color("who:N", scale=who_colors(controls, teacher=teacher is not None), legend=top_legend(), title=None)
    pick = alt.selection_point(name="pick", fields=["who"], bind="legend")
    base = alt.Chart().encode(
        x=alt.X("n:Q", **count_axis(results.sample_counts)),
        color=color,
        opacity=alt.when(pick).then(alt.value(1.0)).otherwise(alt.value(0.12)),
    )
    value = alt.Y("accuracy:Q", title=f"{_split(results)} accuracy, %", scale=alt.Scale(zero=False))
    layers: list[Any] = [
        base.transform_filter("isValid(datum.low)")
        .mark_area(opacity=0.16)
        .encode(y="low:Q", y2="high:Q", opacity=alt.when(pick).then(alt.value(0.16)).otherwise(alt.value(0.02))),
        base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1).encode(y="low:Q", y2="high:Q"),
        base.transform_filter("!datum.is_main").mark_line(strokeWidth=1.3, strokeDash=[4, 3]).encode(y=value),
        base.transform_filter("datum.is_main").mark_line(strokeWidth=2.6).encode(y=value),
        base.mark_circle(opacity=1)
        .encode(
            y=value,
            size=alt.when("datum.is_main").then(alt.value(70)).otherwise(alt.value(28)),
            tooltip=[
                alt.Tooltip("who:N", title=" "),
                alt.Tooltip("n:Q", format=",d"),
                alt.Tooltip("text:N", title="accuracy, %"),
                alt.Tooltip("split:N", title="measured on"),
                alt.Tooltip("seeds:Q", title="seeds"),
                alt.Tooltip("recipe:N"),
            ],
        )
        .add_params(pick),
    ]
    if teacher is not None:
        line = alt.Data(values=[{"who": TEACHER_LINE, "accuracy": 100 * teacher, "text": f"{100 * teacher:.1f}"}])
        layers.append(
            alt.Chart(line)
            .mark_rule(strokeDash=[7, 4], strokeWidth=1.3)
            .encode(y=value, color=color, tooltip=[alt.Tooltip("text:N", title="teacher's accuracy, %")])
        )
    return Figure(
        "data_efficiency",
        "Accuracy against labelled samples",
        _caption(results, controls),
        alt.layer(*layers, data=alt.Data(values=rows)),
        HEIGHT,
    )


def teacher_accuracy(results: Results) -> float | None:
    """A fraction; of the test split where it is known, else of validation."""
    teacher = results.sweep.teacher
    value = teacher.get("test_accuracy", teacher.get("val_accuracy"))
    return None if value is None else float(value)


def drawn_controls(summaries: Sequence[CountSummary]) -> list[str]:
    """As many as there are colours, those first that have no other teacher, student or setting in their name.

    One that is everywhere less than half as good as labels only, as a teacher of noise makes it, would press the others
    together.
    """
    names = list(dict.fromkeys(name for summary in summaries for name in summary.controls))
    near = [name for name in names if not all(_is_far_below(summary, name) for summary in summaries)]
    plain_first = sorted(near, key=lambda name: "=" in name)[: len(CONTROLS)]
    return [name for name in near if name in plain_first]


def _is_far_below(summary: CountSummary, control: str) -> bool:
    value = summary.controls.get(control)
    return value is None or (summary.labels is not None and value.mean < summary.labels.mean / 2)


def _rows(summary: CountSummary, controls: Sequence[str]) -> Iterator[dict[str, Any]]:
    curves: list[tuple[str, Estimate | None, str | None]] = [
        *((name, summary.controls.get(name), None) for name in controls),
        (LABELS_ONLY, summary.labels, None),
        (BEST_RECIPE, summary.distilled, summary.recipe_label),
    ]
    for who, value, recipe in curves:
        if value is not None:
            yield {
                "n": summary.sample_count,
                "who": who,
                "is_main": who in (LABELS_ONLY, BEST_RECIPE),
                "accuracy": 100 * value.mean,
                "low": None if value.ci95 is None else 100 * value.low,
                "high": None if value.ci95 is None else 100 * value.high,
                "text": percent(value),
                "seeds": value.seeds,
                "split": summary.evaluated_on,
                "recipe": recipe or "",
            }


def _split(results: Results) -> str:
    splits = {summary.evaluated_on for summary in results.summaries if summary.distilled or summary.labels}
    return splits.pop() if len(splits) == 1 else "test or validation"


def _caption(results: Results, drawn: Sequence[str]) -> str:
    values = [value for s in results.summaries for value in (s.labels, s.distilled) if value is not None]
    bands = (
        "bands are 95 % t-intervals over fresh seeds and subsets"
        if any(value.ci95 is not None for value in values)
        else "each value is that of a single trial, so there are no intervals"
    )
    teacher = ""
    if teacher_accuracy(results) is not None:
        split = "test" if "test_accuracy" in results.sweep.teacher else "validation"
        teacher = f" The dashed line is the teacher ({split} accuracy)."
    others = len({name for summary in results.summaries for name in summary.controls} - set(drawn))
    more = f" The table of controls has {others} more of them." if others else ""
    return f"How accurate students become with n labelled samples; {bands}.{teacher}{more}"
