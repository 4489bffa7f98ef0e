"""How all figures look: colours, axes, type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.tracking.color import sample_count_color

if TYPE_CHECKING:
    import altair as alt

INK, SOFT, LINE = "#1d2429", "#65727b", "#e6eaec"
DISTILLED, LABELS, TEACHER = "#1f6f8b", "#c8553d", "#3c4348"
CONTROLS = ("#b89b4b", "#7a9e7e", "#9b7aa8", "#8f8f8f", "#6f86b3", "#b5838d")
BEST_RECIPE, LABELS_ONLY, TEACHER_LINE = "best recipe", "labels only", "teacher"

CONFIG: dict[str, Any] = {
    "font": "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif",
    "background": "#ffffff",
    "view": {"stroke": None},
    "axis": {
        "labelColor": SOFT,
        "titleColor": INK,
        "titleFontWeight": "normal",
        "titleFontSize": 12,
        "labelFontSize": 11,
        "gridColor": LINE,
        "domainColor": "#c3cacf",
        "tickColor": "#c3cacf",
        "titlePadding": 8,
    },
    "axisX": {"grid": False},
    "axisY": {"domain": False, "ticks": False, "labelFlush": True},
    "legend": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelColor": INK},
    "header": {"labelFontSize": 12, "labelFontWeight": "bold", "labelColor": INK, "title": None},
}


def count_axis(sample_counts: Sequence[int], margin: float = 1.12) -> dict[str, Any]:
    """Of a log axis with one tick for each sample count; `margin` is what it goes on for at its right, as a factor."""
    low, high = min(sample_counts), max(sample_counts)
    return {
        "scale": {"type": "log", "domain": [low / 1.12, high * margin], "nice": False},
        "axis": {"values": list(sample_counts), "format": ",d", "labelOverlap": True, "title": "labelled samples n"},
    }


def count_colors(sample_counts: Sequence[int]) -> alt.Scale:
    """One colour for each sample count, that of its runs in MLflow."""
    import altair as alt

    colors = [sample_count_color(count, sample_counts) for count in sample_counts]
    return alt.Scale(domain=[str(count) for count in sample_counts], range=colors)


def who_colors(controls: Sequence[str], *, teacher: bool = False) -> alt.Scale:
    """Of the best recipe, labels only, the controls and the teacher."""
    import altair as alt

    names = [BEST_RECIPE, LABELS_ONLY, *([TEACHER_LINE] if teacher else []), *controls]
    own = [DISTILLED, LABELS, *([TEACHER] if teacher else [])]
    return alt.Scale(domain=names, range=own + [CONTROLS[i % len(CONTROLS)] for i in range(len(controls))])


def top_legend(columns: int = 3) -> alt.Legend:
    """Above the chart, where it costs no width."""
    import altair as alt

    return alt.Legend(orient="top", title=None, columns=columns, symbolType="circle", symbolOpacity=1, labelLimit=220)
