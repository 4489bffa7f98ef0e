"""How many requests a trial costs a real MLflow server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from kdsearch.ledger import SweepState
from kdsearch.ledger import TrialState
from kdsearch.tracking import Tracker
from kdsearch.tracking.findings import Findings
from tests.factories import make_record
from tests.factories import make_series
from tests.factories import make_sweep
from tests.services.servers import MlflowServer

pytestmark = pytest.mark.services

PER_TRIAL = 3
"""The run is made, its parameters, metrics and curves are written in one batch, and it is closed."""


@pytest.fixture(scope="module")
def server() -> Iterator[MlflowServer]:
    with MlflowServer() as started:
        yield started


def written(server: MlflowServer, trials: int, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """All requests but those for the sweep's own artifacts, by path; the sweep has so many trials of 20 epochs."""
    sent: Counter[str] = Counter()
    send = requests.Session.send

    def counted(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        path = request.path_url.partition("?")[0]
        if "/artifacts" not in path:
            sent[path] += 1
        return send(session, request, **options)

    with monkeypatch.context() as patch:
        patch.setattr(requests.Session, "send", counted)
        sweep = make_sweep(f"requests-{trials}", uid=f"uid-{trials}")
        tracker = Tracker(server.uri, sweep.name, sweep, sweep.config, pytest.fail, 60.0, None)
        tracker.start()
        for number in range(trials):
            tracker.trial_started(make_record(number, state=TrialState.RUNNING))
            tracker.trial_finished(make_record(number), make_series(20), {"gain_over_labels": 0.1})
        assert tracker.finish(SweepState.COMPLETE, Findings("verdict"), None, 120.0)
        tracker.close()
    return sent


def test_a_trial_costs_three_requests(server: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = (written(server, trials, monkeypatch) for trials in (10, 40))
    more = many - few
    assert sum(more.values()) <= PER_TRIAL * 30, more
    assert many["/api/2.0/mlflow/runs/log-batch"] >= 40, "the requests are not seen here"
