"""Saved views of an experiment's runs page, ready when the user opens it.

MLflow (3.15 and later) keeps a view as one experiment tag, `mlflow.sharedViewState.<id>`: JSON whose `state` is the
page's state, deflated. The format is not documented, so writing a view may never fail a sweep.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import SweepRecord

TAG_PREFIX = "mlflow.sharedViewState."
MAX_COUNT_VIEWS = 12
"""So many sample counts get a view of their own."""

SEARCHED_METRICS = ("val_accuracy", "gain_over_labels")
"""The columns of searched trials, beside the search metric."""

CONFIRMED_METRICS = (
    "test_accuracy",
    "test_nll",
    "test_ece",
    "test_worst_class_gap",
    "test_noise_accuracy_0.3",
    "membership_auc",
    "val_agreement",
)
"""The columns of confirmations, beside the search metric."""


@dataclass(frozen=True)
class View:
    id: str
    name: str
    state: Mapping[str, Any]


def sweep_views(sweep: SweepRecord, metric: str, sample_counts: Sequence[int]) -> list[View]:
    """The views of a sweep, in the order of the menu: best trials, search space, confirmations, one per sample count.

    Ids are derived from the sweep's uid: writing them again replaces them, and sweeps that share an experiment keep
    views of their own.
    """
    prefix = f"kdsearch-{sweep.uid[:8]}"
    searched, confirmed = (
        f"tags.`kdsearch.uid` = '{sweep.uid}' and tags.`kdsearch.kind` = '{kind.value}'"
        for kind in (Kind.SEARCH, Kind.CONFIRM)
    )
    finished = f"{searched} and tags.`kdsearch.stop` = 'completed'"
    views = [
        View(f"{prefix}-best", f"{sweep.name}: best trials", _page(searched, metric)),
        View(f"{prefix}-space", f"{sweep.name}: search space", _charts(finished, metric, _space_charts(metric))),
        View(f"{prefix}-confirmed", f"{sweep.name}: confirmations", _page(confirmed, metric, CONFIRMED_METRICS)),
    ]
    for count in list(sample_counts)[:MAX_COUNT_VIEWS]:
        of_count = f"{finished} and params.`sample_count` = '{count}'"
        views.append(
            View(f"{prefix}-n{count}", f"{sweep.name}: n={count}", _charts(of_count, metric, _count_charts(metric)))
        )
    return views


def view_tags(views: Sequence[View], created: int) -> dict[str, str]:
    """The experiment tags that hold `views`; `created` (ms since 1970) makes the same sweep write the same bytes."""
    tags = {}
    for place, view in enumerate(views):
        # The menu lists the youngest first.
        moment = created + len(views) - place
        value = {"name": view.name, "createdAt": moment, "updatedAt": moment, "state": encode_state(view.state)}
        tags[TAG_PREFIX + view.id] = json.dumps(value)
    return tags


def encode_state(state: Mapping[str, Any]) -> str:
    packed = zlib.compress(json.dumps(state, separators=(",", ":")).encode(), 9)
    return "deflate;" + base64.b64encode(packed).decode()


def decode_state(text: str) -> dict[str, Any]:
    """The inverse of `encode_state`."""
    state: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(text.removeprefix("deflate;"))))
    return state


def charts_link(base: str, experiment_id: str, view_id: str) -> str:
    """The address that opens a view as charts, past the page that MLflow shows first."""
    return f"{table_link(base, experiment_id, view_id)}&compareRunsMode=CHART"


def table_link(base: str, experiment_id: str, view_id: str) -> str:
    """The address that opens a view as a table."""
    page = f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs"
    return f"{page}?viewStateShareKey={quote(view_id)}&workflowType=machine_learning"


def _page(search_filter: str, metric: str, columns: Sequence[str] = SEARCHED_METRICS) -> dict[str, Any]:
    return {
        "searchFilter": search_filter,
        "orderByKey": f"metrics.`{metric}`",
        "orderByAsc": metric.endswith("nll"),
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": [
            *(f"params.`{name}`" for name in ("sample_count", "objective", "temperature", "alpha")),
            *(f"metrics.`{name}`" for name in dict.fromkeys((metric, *columns))),
        ],
        "runsHiddenMode": "SHOW_ALL",  # by default charts show ten runs
        "autoRefreshEnabled": True,
    }


def _charts(search_filter: str, metric: str, charts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    sections = [
        _section("kdsearch", "kdsearch"),
        _section("model", "Model metrics"),
        _section("system", "System metrics"),
    ]
    own = [
        {
            "uuid": f"kd-{place}",
            "metricSectionId": "kdsearch",
            "deleted": False,
            "isGenerated": False,
            "runsCountToCompare": 100,
            **chart,
        }
        for place, chart in enumerate(charts)
    ]
    return {
        **_page(search_filter, metric),
        "compareRunSections": sections,
        "compareRunCharts": own,
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
    }


def _section(uuid: str, name: str) -> dict[str, Any]:
    return {
        "uuid": uuid,
        "name": name,
        "display": uuid == "kdsearch",
        "isReordered": True,
        "deleted": False,
        "isGenerated": False,
    }


def _space_charts(metric: str) -> list[dict[str, Any]]:
    return [
        _parallel(["objective", "alpha"], ["log10_sample_count", metric]),
        _scatter(_metric("log10_sample_count"), _metric(metric)),
        _scatter(_metric("log10_temperature"), _metric("gain_over_labels")),
        _scatter(_parameter("alpha"), _metric("gain_over_labels")),
        _contour(_metric("log10_temperature"), _parameter("alpha"), _metric("gain_over_labels")),
    ]


def _count_charts(metric: str) -> list[dict[str, Any]]:
    return [
        _parallel(["objective", "alpha"], [metric]),
        _contour(_metric("log10_temperature"), _parameter("alpha"), _metric(metric)),
        _scatter(_metric("log10_temperature"), _metric(metric)),
        _line(f"epoch/{metric}"),
    ]


# A run that lacks one of the axes is left out of the chart, and not every objective has a temperature.
def _parallel(parameters: list[str], metrics: list[str]) -> dict[str, Any]:
    return {"type": "PARALLEL", "selectedParams": parameters, "selectedMetrics": metrics, "showAllRuns": True}


def _scatter(x: dict[str, str], y: dict[str, str]) -> dict[str, Any]:
    return {"type": "SCATTER", "xaxis": x, "yaxis": y}


def _contour(x: dict[str, str], y: dict[str, str], z: dict[str, str]) -> dict[str, Any]:
    return {"type": "CONTOUR", "xaxis": x, "yaxis": y, "zaxis": z}


def _line(key: str) -> dict[str, Any]:
    return {
        "type": "LINE",
        "metricKey": key,
        "selectedMetricKeys": [key],
        "xAxisKey": "step",
        "scaleType": "linear",
        "xAxisScaleType": "linear",
        "lineSmoothness": 0,
    }


def _metric(key: str) -> dict[str, str]:
    return {"key": key, "type": "METRIC"}


def _parameter(key: str) -> dict[str, str]:
    return {"key": key, "type": "PARAM"}
