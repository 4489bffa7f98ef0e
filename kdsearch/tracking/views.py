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
from dataclasses import field
from typing import Any

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import SweepRecord
from kdsearch.tracking.charts import GAIN
from kdsearch.tracking.charts import LOG_COUNT
from kdsearch.tracking.charts import LOG_TEMPERATURE
from kdsearch.tracking.charts import Chart
from kdsearch.tracking.charts import bar
from kdsearch.tracking.charts import contour
from kdsearch.tracking.charts import layout
from kdsearch.tracking.charts import line
from kdsearch.tracking.charts import metric
from kdsearch.tracking.charts import parallel
from kdsearch.tracking.charts import parameter
from kdsearch.tracking.charts import scatter
from kdsearch.tracking.projection import GROUP
from kdsearch.tracking.projection import KIND
from kdsearch.tracking.projection import PARENT_KIND
from kdsearch.tracking.projection import RECIPE
from kdsearch.tracking.projection import SEARCHED
from kdsearch.tracking.projection import STOP
from kdsearch.tracking.projection import UID

TAG_PREFIX = "mlflow.sharedViewState."
MAX_COUNT_VIEWS = 12
"""So many sample counts get a view of their own."""
MOST_CURVES = 200
"""A sweep of more trials shows the curves of its first twenty alone: a page of a thousand lines says nothing."""

MOST_HEIGHTS = 150
"""Trials up to which a contour is drawn."""
LANDING = "all"
"""The view that `kdsearch ui` opens."""
NAME_WIDTH = 300
"""Pixels; a group's name has two parts."""
RECIPE_COLUMNS = ("sample_count", "objective", "temperature", "alpha")
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
    is_charts: bool = False
    """Whether it is meant to be looked at as charts; the menu opens it as a table, the link as either."""


@dataclass(frozen=True)
class _Page:
    """What most views of a sweep have in common."""

    uid: str
    metric: str
    is_live: bool

    def runs(self, *kinds: Kind, finished: bool = False) -> str:
        """The filter of the sweep's runs of some kinds (all but its own run without any)."""
        # MLflow's filters know neither `or` nor, for tags, `in`.
        unwanted = [PARENT_KIND, *(kind.value for kind in Kind if kinds and kind not in kinds)]
        is_of_kind = [f"tags.`{KIND}` != '{kind}'" for kind in unwanted]
        if len(kinds) == 1:
            is_of_kind = [f"tags.`{KIND}` = '{kinds[0].value}'"]
        is_finished = [f"tags.`{STOP}` = 'completed'"] if finished else []
        return " and ".join([f"tags.`{UID}` = '{self.uid}'", *is_of_kind, *is_finished])

    def state(
        self,
        search_filter: str,
        charts: Sequence[Chart] = (),
        order: str | None = None,
        columns: Sequence[str] | None = None,
        **changes: Any,
    ) -> dict[str, Any]:
        order = order or self.metric
        return {
            "searchFilter": search_filter,
            "orderByKey": f"metrics.`{order}`",
            "orderByAsc": order.endswith("nll"),
            "startTime": "ALL",
            "lifecycleFilter": "Active",
            "modelVersionFilter": "All Runs",
            "datasetsFilter": [],
            "selectedColumns": list(columns or self.columns(self.metric, "val_accuracy", GAIN)),
            "columnWidths": {"attributes.`Run Name`": NAME_WIDTH},
            "runsHiddenMode": "SHOW_ALL",  # by default charts show ten runs
            "autoRefreshEnabled": self.is_live,
            **(layout(charts) if charts else {}),
            **changes,
        }

    def columns(self, *metrics: str) -> list[str]:
        return [
            *(f"params.`{name}`" for name in RECIPE_COLUMNS),
            *(f"metrics.`{name}`" for name in dict.fromkeys(metrics)),
        ]


@dataclass
class _Views:
    sweep: SweepRecord
    found: list[View] = field(default_factory=list)

    def add(self, name: str, title: str, state: Mapping[str, Any], *, is_charts: bool) -> None:
        self.found.append(View(view_id(self.sweep.uid, name), f"{self.sweep.name}: {title}", state, is_charts))


def view_id(uid: str, name: str) -> str:
    """Derived from the sweep's uid: writing a view again replaces it, and sweeps that share an experiment keep views
    of their own."""
    return f"kdsearch-{uid[:8]}-{name}"


def sweep_views(
    sweep: SweepRecord, search_metric: str, sample_counts: Sequence[int], *, is_live: bool = True
) -> list[View]:
    """The views of a sweep, in the order of the menu: everything, best trials, search space, controls, learning
    curves, confirmations, one per sample count. `is_live` has the pages look for new results by themselves.
    """
    page = _Page(sweep.uid, search_metric, is_live)
    views = _Views(sweep)
    finished, searched = page.runs(finished=True), page.runs(Kind.SEARCH, finished=True)
    views.add(LANDING, "all finished trials", page.state(finished, _all_charts(search_metric)), is_charts=True)
    views.add("best", "best trials", _best(page), is_charts=False)
    views.add("space", "search space", page.state(searched, _space_charts(sweep.target)), is_charts=True)
    views.add(
        "controls", "controls against best", _controls(page, sample_counts, _control_names(sweep)), is_charts=True
    )
    views.add("curves", "learning curves", _curves(page, sweep.target), is_charts=True)
    views.add("confirmed", "confirmations", _confirmations(page), is_charts=False)
    per_count = sweep.target // max(1, len(sample_counts))
    for count in list(sample_counts)[:MAX_COUNT_VIEWS]:
        of_count = f"{page.runs(Kind.SEARCH, Kind.CONTROL, finished=True)} and params.`sample_count` = '{count}'"
        views.add(
            f"n{count}", f"n={count}", page.state(of_count, _count_charts(search_metric, per_count)), is_charts=True
        )
    return views.found


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


def _all_charts(search_metric: str) -> list[Chart]:
    return [
        scatter(metric(LOG_COUNT), metric(search_metric)),
        scatter(metric(LOG_TEMPERATURE), metric(GAIN)),
        scatter(parameter("alpha"), metric(GAIN)),
        scatter(metric(LOG_COUNT), metric(GAIN)),
    ]


def _space_charts(trials: int) -> list[Chart]:
    return [
        scatter(metric(LOG_TEMPERATURE), metric(GAIN)),
        scatter(parameter("alpha"), metric(GAIN)),
        scatter(metric(LOG_COUNT), metric(GAIN)),
        *_contours(GAIN, trials),
        # Out of sight at first: one that is drawn while the page still takes its size complains in the console.
        parallel(["objective", "alpha"], [LOG_COUNT, GAIN]),
    ]


def _contours(height: str, trials: int) -> list[Chart]:
    """Over temperature and alpha. MLflow draws one on a grid of trials times trials: hundreds hold the page up."""
    return [contour(metric(LOG_TEMPERATURE), parameter("alpha"), metric(height))] if trials <= MOST_HEIGHTS else []


def _count_charts(search_metric: str, trials: int) -> list[Chart]:
    return [
        scatter(metric(LOG_TEMPERATURE), metric(search_metric)),
        scatter(parameter("alpha"), metric(search_metric)),
        *_contours(search_metric, trials),
        line(f"epoch/{search_metric}"),
        line("epoch/train_loss"),
    ]


def _best(page: _Page) -> dict[str, Any]:
    return page.state(page.runs(Kind.SEARCH), columns=page.columns(page.metric, "val_accuracy", GAIN))


def _controls(page: _Page, sample_counts: Sequence[int], controls: Sequence[str]) -> dict[str, Any]:
    """What each control reaches, and the best of the searched trials, by sample count; folded to one row each."""
    group = {"aggregateFunction": "max", "groupByKeys": [_group("param", "sample_count"), _group("tag", GROUP)]}
    folded = {
        f"param.sample_count.{count},tag.{GROUP}.{name}": False
        for count in sample_counts
        for name in (SEARCHED, *controls)
    }
    return page.state(
        page.runs(Kind.SEARCH, Kind.CONTROL, finished=True),
        [bar(GAIN), scatter(metric(LOG_COUNT), metric(GAIN)), scatter(metric(LOG_COUNT), metric("val_accuracy"))],
        order=GAIN,
        columns=["params.`sample_count`", *(f"metrics.`{name}`" for name in (GAIN, "val_accuracy"))],
        groupBy=group,
        groupsExpanded=folded,
        useGroupedValuesInCharts=True,
    )


def _confirmations(page: _Page) -> dict[str, Any]:
    """The mean of each recipe over its fresh seeds."""
    group = {"aggregateFunction": "average", "groupByKeys": [_group("param", "sample_count"), _group("tag", RECIPE)]}
    return page.state(
        page.runs(Kind.CONFIRM, finished=True),
        [bar("test_accuracy"), scatter(metric(page.metric), metric("test_accuracy"))],
        columns=page.columns(page.metric, *CONFIRMED_METRICS),
        groupBy=group,
        useGroupedValuesInCharts=False,
    )


def _curves(page: _Page, trials: int) -> dict[str, Any]:
    """Pruned trials too: they come last where not all are shown, since they have no final metric."""
    keys = dict.fromkeys((page.metric, "val_accuracy", "val_nll", "train_loss"))
    return page.state(
        page.runs(Kind.SEARCH, Kind.CONTROL),
        [line(f"epoch/{key}") for key in keys],
        order=GAIN,
        runsHiddenMode="SHOW_ALL" if trials <= MOST_CURVES else "FIRST_20_RUNS",
    )


def _control_names(sweep: SweepRecord) -> list[str]:
    """Of controls with a list of values, as `{label_smoothing: [0.05, 0.1]}`, each: `label_smoothing=0.05`."""
    names: list[str] = []
    for entry in sweep.config.get("controls", ()):
        if isinstance(entry, str):
            names.append(entry)
        else:
            names += [f"{name}={value:g}" for name, values in entry.items() for value in values]
    return names


def _group(mode: str, key: str) -> dict[str, str]:
    return {"mode": mode, "groupByData": key}
