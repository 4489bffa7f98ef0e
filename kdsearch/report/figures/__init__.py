"""The report's figures: each is defined once in Altair, shown live in report.html and kept as a PNG.

Nothing here imports Altair before a figure is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.report.content import Content
from kdsearch.report.figures.best_so_far import best_so_far
from kdsearch.report.figures.data_efficiency import data_efficiency
from kdsearch.report.figures.fidelity import fidelity
from kdsearch.report.figures.figure import Figure
from kdsearch.report.figures.importance import importance
from kdsearch.report.figures.labels_saved import labels_saved
from kdsearch.report.figures.objectives import objectives
from kdsearch.report.figures.pareto import pareto_cost
from kdsearch.report.figures.pareto import pareto_samples
from kdsearch.report.figures.render import javascript
from kdsearch.report.figures.render import png
from kdsearch.report.figures.render import spec
from kdsearch.report.figures.temperature_alpha import temperature_alpha

if TYPE_CHECKING:
    import altair as alt

FIGURES: tuple[Callable[[Content], Figure | None], ...] = (
    data_efficiency,
    labels_saved,
    temperature_alpha,
    objectives,
    importance,
    best_so_far,
    pareto_samples,
    pareto_cost,
    fidelity,
)
"""In the order in which the report shows them."""

NAMES = frozenset(function.__name__ for function in FIGURES)
"""A figure is named after the function that draws it."""

__all__ = ["FIGURES", "NAMES", "Drawing", "Figure", "Picture", "charts", "draw", "javascript"]


@dataclass(frozen=True)
class Picture:
    """A figure and what it looks like."""

    figure: Figure
    spec: Mapping[str, Any]
    """Vega-Lite, for vega-embed."""
    png: bytes


@dataclass(frozen=True)
class Drawing:
    pictures: tuple[Picture, ...]
    """Of the figures that there is something for."""
    failures: Mapping[str, str]
    """Why figures could not be drawn, by name: a picture is not worth the rest of a report."""


def draw(content: Content) -> Drawing:
    pictures, failures = [], {}
    for function in FIGURES:
        try:
            figure = function(content)
            if figure is not None:
                found = spec(figure)
                pictures.append(Picture(figure, found, png(found)))
        except Exception as error:
            failures[function.__name__] = f"{type(error).__name__}: {error}"
    return Drawing(tuple(pictures), failures)


def charts(content: Content) -> dict[str, alt.TopLevelMixin]:
    """The figures that there is something for, by name, as Altair has them."""
    figures = [function(content) for function in FIGURES]
    return {figure.name: figure.chart for figure in figures if figure is not None}
