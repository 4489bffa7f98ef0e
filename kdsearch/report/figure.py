"""The report's figures, as SVG text that can stand inside HTML."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kdsearch.report.statistics import Estimate
from kdsearch.report.summary import CountSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DISTILLED = "#1f6f8b"
LABELS = "#c8553d"
TEACHER = "#444444"
CONTROLS = ("#8f8f8f", "#b89b4b", "#7a9e7e", "#9b7aa8", "#6f86b3")


def accuracy_figure(summaries: Sequence[CountSummary], teacher_accuracy: float | None) -> str | None:
    """Accuracy and gain against the sample count (log axis), with 95 % intervals; None with nothing to draw."""
    if not any(summary.distilled or summary.labels for summary in summaries):
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_accuracies(left, summaries, teacher_accuracy)
    _draw_gains(right, summaries)
    for axes in (left, right):
        _dress(axes, [summary.sample_count for summary in summaries])
    return _svg(figure)


def _draw_accuracies(axes: Axes, summaries: Sequence[CountSummary], teacher_accuracy: float | None) -> None:
    names = dict.fromkeys(name for summary in summaries for name in summary.controls)
    for place, name in enumerate(names):
        of_control = {s.sample_count: s.controls[name] for s in summaries if name in s.controls}
        _draw_curve(axes, of_control, name, CONTROLS[place % len(CONTROLS)], is_main=False)
    _draw_curve(axes, {s.sample_count: s.labels for s in summaries if s.labels}, "labels only", LABELS)
    _draw_curve(axes, {s.sample_count: s.distilled for s in summaries if s.distilled}, "best recipe", DISTILLED)
    if teacher_accuracy is not None:
        axes.axhline(100 * teacher_accuracy, color=TEACHER, linestyle=(0, (4, 3)), linewidth=1, label="teacher")
    axes.set_ylabel("accuracy, %")
    axes.legend(frameon=False, fontsize=9, loc="best")


def _draw_curve(axes: Axes, curve: Mapping[int, Estimate], name: str, color: str, is_main: bool = True) -> None:
    if not curve:
        return
    counts = sorted(curve)
    means = [100 * curve[count].mean for count in counts]
    # A label that starts with an underscore would be left out of the legend, `$` would start a formula.
    label = name.replace("$", r"\$").lstrip("_")
    width, marker = (2.0, "o") if is_main else (1.1, ".")
    axes.plot(counts, means, marker=marker, markersize=5, color=color, linewidth=width, label=label)
    if is_main and any(curve[count].ci95 for count in counts):
        low = [100 * curve[count].low for count in counts]
        high = [100 * curve[count].high for count in counts]
        axes.fill_between(counts, low, high, color=color, alpha=0.18, linewidth=0)


def _draw_gains(axes: Axes, summaries: Sequence[CountSummary]) -> None:
    gains = {summary.sample_count: summary.gain for summary in summaries if summary.gain}
    axes.axhline(0, color="#999999", linewidth=1)
    for count, gain in gains.items():
        half = [[100 * (gain.ci95 or 0.0)], [100 * (gain.ci95 or 0.0)]]
        axes.errorbar([count], [100 * gain.mean], yerr=half, fmt="o", color=DISTILLED, capsize=3, markersize=5)
    axes.set_ylabel("gain over labels only, points")
    if not gains:
        axes.text(0.5, 0.5, "not known", transform=axes.transAxes, ha="center", va="center", color="#888888")


def _dress(axes: Axes, counts: Sequence[int]) -> None:
    axes.set_xscale("log")
    axes.set_xticks(list(counts), [str(count) for count in counts])
    axes.minorticks_off()
    axes.set_xlabel("labelled samples n")
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _svg(figure: Figure) -> str:
    import matplotlib

    buffer = io.StringIO()
    # Text stays text (small, selectable); a fixed salt and no date make equal figures equal bytes.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "kdsearch", "font.family": "sans-serif"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
