"""All checks, one finding each, in the order in which they are read."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial
from typing import TypeVar

from kdsearch.config.schema import SweepConfig
from kdsearch.doctor.finding import Finding
from kdsearch.doctor.finding import Remark
from kdsearch.doctor.finding import first_line
from kdsearch.errors import Problem

PATIENCE = 30
"""Seconds after which a check is given up: a name server that hangs knows no connection timeout."""

OWNERS = {
    "storage": "storage",
    "ledger": "ledger",
    "mlflow": "mlflow",
    "dataset": "data",
    "student": "models",
    "teacher.model": "models",
    "teacher.training": "devices",
    "training.device": "devices",
    "resources.gpus_per_trial": "devices",
    "resources.cpus_per_trial": "ray",
}
"""Which check tells what is wrong with a key, or with one below it; `config` tells of all others."""

T = TypeVar("T")
Look = Callable[[], Finding]


def examine(config: SweepConfig) -> Iterator[Finding]:
    """Look at everything that a sweep with `config` will need; each finding comes as soon as it is there.

    Nothing that is made for that outlives it, and no Ray is started.
    """
    told = _problems(config)
    _import_all(config)
    from kdsearch.doctor.aws import look_at_aws
    from kdsearch.doctor.ledger import look_at_ledger
    from kdsearch.doctor.storage import look_at_storage
    from kdsearch.doctor.tracking import look_at_mlflow
    from kdsearch.search.knock import knock

    # Servers that are down are waited for side by side.
    ledger = partial(_result, "ledger", _begin(partial(look_at_ledger, config)))
    mlflow = partial(_result, "mlflow", _begin(partial(look_at_mlflow, config)))
    storage = partial(_result, "storage", _begin(partial(look_at_storage, config)))
    knocking = None if config.cluster.is_own else _begin(partial(knock, str(config.cluster.address)))
    counts = ", ".join(map(str, config.sample_counts))
    config_finding = Finding.conclude("config", f"sweep {config.name}, sample counts {counts}")
    looks: list[tuple[str, Look]] = [("config", lambda: config_finding), ("ledger", ledger), ("mlflow", mlflow)]
    if config.cluster.place == "aws":
        looks.append(("aws", partial(_result, "aws", _begin(partial(look_at_aws, config.cluster)))))
    yield from _findings(looks, told)
    yield from _findings(_node_looks(config, storage, knocking), told)


def _findings(looks: Iterable[tuple[str, Look]], told: Mapping[str, list[Remark]]) -> Iterator[Finding]:
    for check, look in looks:
        yield Finding.conclude(check, "", told[check]) if check in told else _guarded(check, look)


def _node_looks(config: SweepConfig, storage: Look, knocking: Future[None] | None) -> list[tuple[str, Look]]:
    """The checks of Ray and its nodes, once it has answered; without them, of this machine."""
    from kdsearch.doctor import nodes
    from kdsearch.doctor.access import access_finding
    from kdsearch.doctor.probe import versions
    from kdsearch.doctor.survey import Survey
    from kdsearch.doctor.survey import survey_cluster
    from kdsearch.doctor.survey import survey_machine

    unasked: list[Remark] = []
    survey = Survey([])
    if knocking is None:
        survey = survey_machine(config)
        found = nodes.ray_finding(config, survey)
    else:
        try:
            knocking.result(PATIENCE)
            survey = survey_cluster(config)
        except Exception as error:  # Ray may also die while it is asked, in many ways
            found = Finding.conclude("ray", "", [_away(config, error)])
        else:
            found = nodes.ray_finding(config, survey)
        if not any(node.report for node in survey.nodes):
            survey = survey_machine(config)
            unasked = [Remark.warn("on this machine alone, see ray")]
    access: list[tuple[str, Look]] = [] if survey.is_own else [("access", lambda: access_finding(survey))]
    return [
        ("ray", lambda: found),
        *access,
        ("storage", lambda: nodes.storage_finding(storage(), survey).but(unasked)),
        ("data", lambda: nodes.data_finding(config, survey).but(unasked)),
        ("models", lambda: nodes.models_finding(config, survey).but(unasked)),
        ("versions", lambda: nodes.versions_finding(survey, versions()).but(unasked)),
        ("devices", lambda: nodes.devices_finding(config, survey).but(unasked)),
        ("clocks", lambda: nodes.clocks_finding(survey).but(unasked)),
        ("disk", lambda: nodes.disk_finding(config, survey).but(unasked)),
    ]


def _away(config: SweepConfig, error: Exception) -> Remark:
    from kdsearch.search.knock import ADVICE
    from kdsearch.search.knock import Refused

    address = config.cluster.address
    if isinstance(error, Refused):
        return Remark.bad(f"Ray answers at {address}, but {error}")
    advice = ADVICE.get(config.cluster.place, "start it, or correct cluster.address")
    return Remark.bad(f"no Ray cluster answers at {address}: {first_line(error)}", advice)


def _problems(config: SweepConfig) -> dict[str, list[Remark]]:
    """What a sweep would refuse at its start, by check."""
    from kdsearch.config.checks import check

    told: dict[str, list[Remark]] = {}
    # A user's data loader may print.
    with contextlib.redirect_stdout(sys.stderr):
        problems = check(config).problems
    for problem in problems:
        told.setdefault(_owner(problem), []).append(Remark.bad(str(problem)))
    return told


def _owner(problem: Problem) -> str:
    owners = (name for key, name in OWNERS.items() if f"{problem.key}.".startswith(f"{key}."))
    return next(owners, "config")


def _import_all(config: SweepConfig) -> None:
    """In one thread: packages that several import at once can see each other half made."""
    from kdsearch.tracking.environment import prepare_environment
    from kdsearch.tracking.environment import silence_loggers

    prepare_environment()
    import boto3
    import mlflow
    import optuna
    import sqlalchemy

    silence_loggers()
    assert boto3 and mlflow and optuna and sqlalchemy
    if not config.cluster.is_own:
        # Tries, a second apart, to talk to something that is not Ray after all; read when Ray is imported.
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "5")
        import ray

        assert ray


def _begin(call: Callable[[], T]) -> Future[T]:
    """Call it in a thread, which a server that never answers cannot keep this process from ending."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def _result(check: str, future: Future[Finding]) -> Finding:
    try:
        return future.result(PATIENCE)
    except FutureTimeout:
        advice = "is its name server up, is there a way through the network?"
        return Finding.conclude(check, "", [Remark.bad(f"no answer within {PATIENCE} s", advice)])


def _guarded(check: str, look: Look) -> Finding:
    """A check that itself fails says so, and the others go on."""
    try:
        return look()
    except Exception as error:
        found = f"could not be looked at: {type(error).__name__}: {first_line(error)}"
        return Finding.conclude(check, "", [Remark.bad(found)])
