"""The figure: a row for each sample count, a panel for each network, a colour for each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    import altair as alt
    import numpy as np
    from numpy.typing import NDArray

SIDE = 230
"""Of a panel, in pixels."""
SCALE = 2
MOST_NAMED = 20
"""With more classes there are no colours that can be told apart, and no legend."""
NAMES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}


@dataclass(frozen=True)
class Panel:
    sample_count: int
    title: str
    subtitle: str
    points: NDArray[np.float64]
    """[N, 2]."""


def chart(
    panels: Sequence[Panel], classes: Sequence[str], order: Sequence[str], title: str, subtitle: str
) -> alt.TopLevelMixin:
    """`classes` names that of each sample, [N]; `order` has every class once."""
    import altair as alt

    rows: dict[int, list[Panel]] = {}
    for panel in panels:
        rows.setdefault(panel.sample_count, []).append(panel)
    drawn = [
        alt.hconcat(*(_panel(panel, classes, order) for panel in row), spacing=14).properties(
            title=_heading(f"n = {count}", "", size=14)
        )
        for count, row in rows.items()
    ]
    figure: alt.TopLevelMixin = (
        alt.vconcat(*drawn, spacing=18)
        .properties(title=_heading(title, subtitle, size=15, offset=16))
        .configure(background="#ffffff", padding=14, font="system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif")
        .configure_view(stroke="#e6eaec")
    )
    return figure


def png(figure: alt.TopLevelMixin) -> bytes:
    import io

    file = io.BytesIO()
    figure.save(file, format="png", scale_factor=SCALE)
    return file.getvalue()


def _panel(panel: Panel, classes: Sequence[str], order: Sequence[str]) -> alt.Chart:
    import altair as alt

    rows = [
        {"x": round(float(x), 5), "y": round(float(y), 5), "class": name}
        for (x, y), name in zip(panel.points, classes, strict=True)
    ]
    hidden: dict[str, Any] = {"axis": None, "scale": alt.Scale(zero=False, nice=False, padding=8)}
    named = len(order) <= MOST_NAMED
    color = alt.Color(
        "class:N",
        sort=list(order),
        scale=alt.Scale(domain=list(order), scheme="tableau10" if len(order) <= 10 else "tableau20"),
        legend=alt.Legend(title="class", symbolOpacity=1, symbolSize=70, labelLimit=160) if named else None,
    )
    heading = _heading(panel.title, panel.subtitle, size=12)
    return (
        alt.Chart(alt.Data(values=rows), width=SIDE, height=SIDE, title=heading)
        .mark_circle(size=18, opacity=0.75)
        .encode(x=alt.X("x:Q", **hidden), y=alt.Y("y:Q", **hidden), color=color)
    )


def _heading(text: str, below: str, *, size: int, offset: int = 6) -> alt.TitleParams:
    import altair as alt

    soft: dict[str, Any] = {"subtitle": below, "subtitleColor": "#65727b", "subtitleFontSize": 11} if below else {}
    return alt.TitleParams(text, anchor="start", fontSize=size, color="#1d2429", offset=offset, **soft)
