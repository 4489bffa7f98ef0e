"""`kdsearch doctor`.

Looks at what a sweep with these overrides would need: its data, places, Ray, MLflow and disk. Writes nothing.
"""

from __future__ import annotations

import argparse
import logging
import shutil
from collections.abc import Callable
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.arguments import print_json
from kdsearch.config.secrets import mask_url
from kdsearch.errors import ExitCode
from kdsearch.errors import KdsearchError

if TYPE_CHECKING:
    from kdsearch.config.schema import SweepConfig

LEAST_FREE_GIGABYTES = 1.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it will do, and what was found."""

    check: str
    ok: bool
    found: str


def configure(parser: CommandParser) -> None:
    parser.add_words("[GROUP=NAME …] [KEY=VALUE …]")
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")


def run(options: argparse.Namespace) -> int:
    from kdsearch.config.compose import compose_sweep

    config = compose_sweep(options.words, outside_world=False).config
    findings = [_find(name, look, config) for name, look in CHECKS.items()]
    if options.json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            print(f"{'ok ' if finding.ok else 'BAD'}  {finding.check:8}  {finding.found}")
    return ExitCode.DONE if all(finding.ok for finding in findings) else ExitCode.BAD_INPUT


def _find(name: str, look: Callable[[SweepConfig], str], config: SweepConfig) -> Finding:
    try:
        return Finding(name, True, mask_url(look(config)))
    except KdsearchError as error:
        return Finding(name, False, mask_url("; ".join(str(error).splitlines())))


def _config(config: SweepConfig) -> str:
    """The same checks that a sweep starts with: data, places, devices."""
    from kdsearch.config.checks import check
    from kdsearch.errors import InputError

    problems = check(config)
    if problems:
        raise InputError(problems)
    return f"sweep {config.name}, sample counts {', '.join(map(str, config.sample_counts))}"


def _data(config: SweepConfig) -> str:
    from kdsearch.data import describe

    data = describe(config.dataset)
    counts = f"{data.pool_count} to train on, {data.validation_count} to validate, {data.test_count} to test"
    return f"{data.name}: {counts}, {data.class_count} classes"


def _ledger(config: SweepConfig) -> str:
    from kdsearch.ledger import open_ledger

    if not _holds_ledger(config.ledger):
        return f"{config.ledger}, nothing in it yet"
    ledger = open_ledger(config.ledger)
    count = len(ledger.sweeps())
    ledger.close()
    return f"{config.ledger}, {count} sweeps"


def _holds_ledger(url: str) -> bool:
    """Whether the database is there and holds a ledger; opening one as a ledger would make tables."""
    from sqlalchemy import create_engine
    from sqlalchemy import inspect
    from sqlalchemy.exc import SQLAlchemyError

    from kdsearch.ledger import tables
    from kdsearch.sqlite import sqlite_file

    file = sqlite_file(url)
    if file is not None and not file.exists():
        return False
    try:
        engine = create_engine(url)
        found = inspect(engine).has_table(tables.meta.name)
        engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        raise KdsearchError(f"{url} cannot be opened: {str(error).splitlines()[0]}") from None
    return found


def _mlflow(config: SweepConfig) -> str:
    from kdsearch.tracking.environment import prepare_environment

    uri = str(config.mlflow.tracking_uri)
    if not uri.startswith(("http://", "https://")):
        return uri
    prepare_environment()
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        MlflowClient(uri).search_experiments(max_results=1)
    except MlflowException as error:
        raise KdsearchError(f"{uri} cannot be asked: {str(error).splitlines()[0]}") from None
    return uri


def _ray(config: SweepConfig) -> str:
    from importlib.metadata import version

    if config.cluster.address is None:
        from kdsearch.config.check_machine import available_cpus
        from kdsearch.config.check_machine import visible_gpus

        return f"Ray {version('ray')} on this machine: {available_cpus()} CPUs, {visible_gpus()} GPUs"
    import ray

    try:
        ray.init(config.cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise KdsearchError(f"cluster.address={config.cluster.address}: {str(error).splitlines()[0]}") from None
    resources = ray.cluster_resources()
    nodes = len(ray.nodes())
    ray.shutdown()
    cpus, gpus = resources.get("CPU", 0), resources.get("GPU", 0)
    return f"Ray {version('ray')} at {config.cluster.address}: {nodes} nodes, {cpus:g} CPUs, {gpus:g} GPUs"


def _disk(config: SweepConfig) -> str:
    from kdsearch.config.locations import is_s3

    wanted = Path.cwd() if is_s3(config.storage) else Path(config.storage)
    place = next(folder for folder in (wanted, *wanted.parents) if folder.is_dir())
    free = shutil.disk_usage(place).free / 1e9
    found = f"{free:.1f} GB free at {place}"
    if free < LEAST_FREE_GIGABYTES:
        raise KdsearchError(f"{found}; {LEAST_FREE_GIGABYTES:g} GB is the least to start with")
    return found


def _torch(_config: SweepConfig) -> str:
    import torch

    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return f"torch {torch.__version__}, {', '.join(devices) or 'no CUDA device'}"


CHECKS: dict[str, Callable[[SweepConfig], str]] = {
    "config": _config,
    "data": _data,
    "ledger": _ledger,
    "mlflow": _mlflow,
    "ray": _ray,
    "torch": _torch,
    "disk": _disk,
}
