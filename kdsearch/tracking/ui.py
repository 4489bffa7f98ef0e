"""MLflow's pages of a sweep: served on this machine where the tracking URI is a database, else just opened."""

from __future__ import annotations

import os
import re
import sys
import webbrowser
from dataclasses import dataclass

from kdsearch.config.secrets import mask_url
from kdsearch.errors import ExitCode
from kdsearch.errors import InputError
from kdsearch.errors import KdsearchError
from kdsearch.errors import Problem
from kdsearch.ledger.records import SweepRecord
from kdsearch.tracking.environment import prepare_environment
from kdsearch.tracking.links import charts_link
from kdsearch.tracking.links import experiments_link
from kdsearch.tracking.serving import LOCAL
from kdsearch.tracking.serving import base_of
from kdsearch.tracking.serving import find_server
from kdsearch.tracking.serving import free_port
from kdsearch.tracking.serving import is_free
from kdsearch.tracking.serving import serve
from kdsearch.tracking.serving import usual_ports
from kdsearch.tracking.verify import experiment_name
from kdsearch.tracking.verify import is_database_of_mlflow
from kdsearch.tracking.views import LANDING
from kdsearch.tracking.views import view_id

_LOCAL_HOSTS = (LOCAL, "localhost")


@dataclass(frozen=True)
class Place:
    """Where to serve."""

    port: int | None = None
    """None takes a server that is there, or the first free port."""
    host: str = LOCAL
    may_be_seen: bool = False
    """Whether `host` may be one that other machines reach: MLflow asks nobody for a password."""


def show(tracking_uri: str, sweep: SweepRecord | None, place: Place, *, open_browser: bool) -> int:
    """Print, and open, the address of a sweep's charts (of all experiments without a sweep).

    For a database: of the server that is there, or of one that is started and serves until Ctrl-C or SIGTERM.

    Raises:
        InputError: the port is taken, the host is not this machine alone, or MLflow does not know the sweep, or has no
            database.
        KdsearchError: the server does not come up.
    """
    prepare_environment()
    if tracking_uri.startswith(("http://", "https://")):
        _announce(_address(tracking_uri, without_credentials(tracking_uri), sweep), open_browser)
        return ExitCode.DONE
    _check(place)
    is_there = is_database_of_mlflow(tracking_uri)
    there = find_server(tracking_uri, usual_ports() if place.port is None else [place.port]) if is_there else None
    if there is not None:
        _announce(_address(tracking_uri, there, sweep), open_browser)
        return ExitCode.DONE
    port = _port(place)
    if not is_there:
        # MLflow would make one.
        problem = "nothing is tracked there; has a sweep been started with this storage?"
        raise InputError([Problem("mlflow.tracking_uri", tracking_uri, problem)])
    # Before the server is started, which takes seconds.
    address = _address(tracking_uri, base_of(place.host, port), sweep)
    with serve(tracking_uri, place.host, port) as process:
        _announce(address, open_browser)
        print("Ctrl-C ends it", flush=True)
        process.wait()
    return ExitCode.DONE


def without_credentials(url: str) -> str:
    """`https://user:password@host/path` → `https://host/path`."""
    return re.sub(r"://[^/]*@", "://", url)


def _announce(address: str, open_browser: bool) -> None:
    print(address, flush=True)
    has_display = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if open_browser and has_display:
        webbrowser.open(address)


def _address(tracking_uri: str, base: str, sweep: SweepRecord | None) -> str:
    if sweep is None:
        return experiments_link(base)
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    name = experiment_name(sweep)
    try:
        experiment = MlflowClient(tracking_uri).get_experiment_by_name(name)
    except MlflowException as error:
        message = mask_url(str(error)).splitlines()[0]
        raise KdsearchError(f"mlflow.tracking_uri={mask_url(tracking_uri)}: cannot be asked: {message}") from None
    if experiment is None:
        where = mask_url(tracking_uri)
        raise InputError([Problem("mlflow.experiment", name, f"MLflow has no such experiment at {where}")])
    return charts_link(base, experiment.experiment_id, view_id(sweep.uid, LANDING))


def _check(place: Place) -> None:
    problems = []
    if place.host not in _LOCAL_HOSTS and not place.may_be_seen:
        allowed = (
            f"must be {LOCAL}: MLflow has no password, and whoever reaches it may change and delete every run; "
            "use `ssh -L`, or say --allow-network"
        )
        problems.append(Problem("--host", place.host, allowed))
    if place.port is not None and not 0 < place.port < 2**16:
        problems.append(Problem("--port", place.port, "must be 1 to 65535"))
    if problems:
        raise InputError(problems)


def _port(place: Place) -> int:
    if place.port is None:
        return free_port(place.host)
    if not is_free(place.host, place.port):
        raise InputError([Problem("--port", place.port, "is taken; leave it out to get a free one")])
    return place.port
