"""The report's figures: each is defined once in Altair, shown live in report.html and kept as a PNG.

Nothing here imports Altair before a figure is drawn.
"""

from __future__ import annotations

from collections.abc import Callable

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
from kdsearch.report.results import Results

FIGURES: tuple[Callable[[Results], Figure | None], ...] = (
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

__all__ = ["FIGURES", "NAMES", "Figure", "draw", "javascript", "png", "spec"]


def draw(results: Results) -> list[Figure]:
    """Every figure that the results have something for."""
    return [figure for function in FIGURES if (figure := function(results)) is not None]
