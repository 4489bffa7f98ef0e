"""Addresses of MLflow's pages, past the one that it shows first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote
from urllib.parse import urlencode

from kdsearch.tracking.views import View

_PAST_THE_EMPTY_PAGE = {"workflowType": "machine_learning"}
"""Without it a new browser is shown MLflow's dashboard of language models."""


def experiments_link(base: str) -> str:
    """The list of all experiments."""
    return f"{_root(base)}#/experiments?{urlencode(_PAST_THE_EMPTY_PAGE)}"


def charts_link(base: str, experiment_id: str, view_id: str) -> str:
    """A view as charts."""
    return _runs_link(base, experiment_id, {"viewStateShareKey": view_id, "compareRunsMode": "CHART"})


def table_link(base: str, experiment_id: str, view_id: str) -> str:
    """A view as a table."""
    return _runs_link(base, experiment_id, {"viewStateShareKey": view_id})


def view_link(base: str, experiment_id: str, view: View) -> str:
    """A view as it is meant to be looked at."""
    return (charts_link if view.is_charts else table_link)(base, experiment_id, view.id)


def run_link(base: str, experiment_id: str, run_id: str, artifact: str = "") -> str:
    """A run's page; with `artifact` (a path), that shown on it."""
    place = f"{_root(base)}#/experiments/{quote(experiment_id)}/runs/{quote(run_id)}"
    shown = f"/artifacts/{quote(artifact)}" if artifact else ""
    return f"{place}{shown}?{urlencode(_PAST_THE_EMPTY_PAGE)}"


def compare_link(base: str, experiment_id: str, run_ids: Sequence[str]) -> str:
    """MLflow's own page for comparing a few runs."""
    query = {"runs": json.dumps(list(run_ids)), "experiments": json.dumps([experiment_id]), **_PAST_THE_EMPTY_PAGE}
    return f"{_root(base)}#/compare-runs?{urlencode(query)}"


def image_link(run_id: str, path: str) -> str:
    """An image among a run's artifacts, as a description can show it."""
    return f"get-artifact?{urlencode({'path': path, 'run_uuid': run_id}, safe='/')}"


def _runs_link(base: str, experiment_id: str, query: dict[str, str]) -> str:
    where = f"{_root(base)}#/experiments/{quote(experiment_id)}/runs"
    return f"{where}?{urlencode({**query, **_PAST_THE_EMPTY_PAGE})}"


def _root(base: str) -> str:
    """Nothing for links inside MLflow's pages."""
    return f"{base.rstrip('/')}/" if base else ""
