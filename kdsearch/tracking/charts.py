"""The charts of a saved view, as MLflow's runs page keeps them.

A run that lacks one of a chart's axes is left out of it, and not every objective has a temperature. Axes can't be
logarithmic but for lines, hence the metrics `log10_…`.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

Axis = dict[str, str]
Chart = dict[str, Any]

GAIN = "gain_over_labels"
LOG_COUNT = "log10_sample_count"
LOG_TEMPERATURE = "log10_temperature"
SECTION = "kdsearch"
LARGEST_COMPARISON = 100
"""Bars in one chart."""


def metric(key: str) -> Axis:
    return {"key": key, "type": "METRIC"}


def parameter(key: str) -> Axis:
    return {"key": key, "type": "PARAM"}


def scatter(x: Axis, y: Axis) -> Chart:
    return {"type": "SCATTER", "xaxis": x, "yaxis": y}


def contour(x: Axis, y: Axis, z: Axis) -> Chart:
    return {"type": "CONTOUR", "xaxis": x, "yaxis": y, "zaxis": z}


def parallel(parameters: Sequence[str], metrics: Sequence[str]) -> Chart:
    return {
        "type": "PARALLEL",
        "selectedParams": list(parameters),
        "selectedMetrics": list(metrics),
        "showAllRuns": True,
    }


def bar(key: str) -> Chart:
    return {"type": "BAR", "metricKey": key}


def line(key: str) -> Chart:
    return {
        "type": "LINE",
        "metricKey": key,
        "selectedMetricKeys": [key],
        "xAxisKey": "step",
        "scaleType": "linear",
        "xAxisScaleType": "linear",
        "lineSmoothness": 0,
    }


def layout(charts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The part of a page's state that shows `charts` first, and the ones that MLflow makes by itself folded away."""
    return {
        "compareRunSections": [_section(uuid, name) for uuid, name in _SECTIONS],
        "compareRunCharts": [_placed(place, chart) for place, chart in enumerate(charts)],
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
    }


_SECTIONS = ((SECTION, SECTION), ("epoch", "epoch"), ("model", "Model metrics"), ("system", "System metrics"))
"""The last two have to be the last two."""


def _placed(place: int, chart: Mapping[str, Any]) -> Chart:
    return {
        "uuid": f"kd-{place}",
        "metricSectionId": SECTION,
        "deleted": False,
        "isGenerated": False,
        "runsCountToCompare": LARGEST_COMPARISON,
        **chart,
    }


def _section(uuid: str, name: str) -> dict[str, Any]:
    return {
        "uuid": uuid,
        "name": name,
        "display": uuid == SECTION,
        "isReordered": True,
        "deleted": False,
        "isGenerated": False,
    }
