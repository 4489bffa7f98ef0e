"""`kdsearch submit`.

The sweep's command line goes to the cluster's dashboard as a Ray Job, with your own code that it names (_target_) and
search_spaces/; data, and kdsearch itself, must be there. Follows the log; the exit code is the sweep's. Ctrl-C detaches
and the sweep goes on.

  kdsearch submit storage=s3://bucket/prefix 'ledger=${oc.env:KDSEARCH_LEDGER}' 'mlflow.tracking_uri=${oc.env:MLFLOW}'
  kdsearch submit --resume NAME trials_per_count=40 …       kdsearch resume NAME …, on the cluster
  kdsearch submit --follow NAME                             its log, from the beginning
  kdsearch submit --stop NAME                               running trials are checkpointed

Ray's token is taken from RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token. Passwords are never sent: refer to
the cluster's environment. Reach the dashboard by a tunnel: ssh -N -L 8265:127.0.0.1:8265 HEAD
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.composed import stored_sweep
from kdsearch.errors import ExitCode
from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

    from kdsearch.remote.jobs import Job
    from kdsearch.remote.request import Request


def configure(parser: CommandParser) -> None:
    from kdsearch.remote.server import default_address

    parser.add_words("[GROUP=NAME …] [KEY=VALUE …]", compose=_config)
    parser.add_argument(
        "--address", default=default_address(), help="of the cluster's dashboard (default: %(default)s)"
    )
    parser.add_argument("--detach", action="store_true", help="do not follow the log")
    parser.add_argument("--shared-storage", action="store_true", help="storage is a folder that every node mounts")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--resume", metavar="NAME", help="go on with a sweep from its stored configuration")
    what.add_argument("--follow", metavar="NAME", help="follow the log of a sweep that was sent")
    what.add_argument("--stop", metavar="NAME", help="stop a sweep that was sent, resumable")


def run(options: argparse.Namespace) -> int:
    from kdsearch.remote.jobs import latest
    from kdsearch.remote.server import answering
    from kdsearch.remote.server import connect

    if options.follow or options.stop:
        _refuse_words(options)
        client = connect(options.address)
        with answering(options.address):
            job = latest(client, options.follow or options.stop)
        return _follow(client, job, options) if options.follow else _stop(client, job, options)
    client, job = _send(options)
    if options.detach:
        _say_how_to_go_on(job, options)
        return ExitCode.DONE
    return _follow(client, job, options)


def _config(options: argparse.Namespace) -> Mapping[str, Any]:
    if name := options.follow or options.stop:
        _refuse_words(options)
        return stored_sweep(name, []).stored
    return _request(options).stored


def _request(options: argparse.Namespace) -> Request:
    from kdsearch.remote.request import resume_request
    from kdsearch.remote.request import sweep_request

    if options.resume:
        return resume_request(options.resume, options.words, shared_storage=options.shared_storage)
    return sweep_request(options.words, shared_storage=options.shared_storage)


def _refuse_words(options: argparse.Namespace) -> None:
    if options.words:
        raise InputError([Problem("KEY=VALUE", " ".join(options.words), "is taken with a sweep that is sent, only")])


def _send(options: argparse.Namespace) -> tuple[JobSubmissionClient, Job]:
    from kdsearch.remote.code import user_files
    from kdsearch.remote.jobs import send
    from kdsearch.remote.server import answering
    from kdsearch.remote.server import connect
    from kdsearch.remote.server import unencrypted

    request = _request(options)
    files = user_files(request.targets, Path.cwd())
    if warning := unencrypted(options.address):
        print(f"kdsearch: warning: {warning}", file=sys.stderr)
    client = connect(options.address)
    with answering(options.address):
        job = send(client, request, files)
    code = f" with {len(files)} file{'s' if len(files) > 1 else ''} of yours" if files else ""
    print(f"sent to {options.address} as {job.id}{code}", flush=True)
    return client, job


def _follow(client: JobSubmissionClient, job: Job, options: argparse.Namespace) -> int:
    from kdsearch.remote.follow import LostError
    from kdsearch.remote.follow import follow

    try:
        return follow(client, job, _write)
    except KeyboardInterrupt:
        print("\ndetached; the sweep goes on")
        _say_how_to_go_on(job, options)
        return ExitCode.INTERRUPTED
    except LostError:
        _say_how_to_go_on(job, options)
        raise


def _stop(client: JobSubmissionClient, job: Job, options: argparse.Namespace) -> int:
    from kdsearch.remote.jobs import stop
    from kdsearch.remote.server import answering

    with answering(options.address):
        was_at_work = stop(client, job)
    if was_at_work:
        print(f"{job.id} has stopped; go on with: kdsearch submit --resume {job.sweep}{_address(options)} …")
    else:
        print(f"{job.id} is not at work")
    return ExitCode.DONE


def _say_how_to_go_on(job: Job, options: argparse.Namespace) -> None:
    for what in ("follow", "stop"):
        print(f"  kdsearch submit --{what} {job.sweep}{_address(options)}")


def _address(options: argparse.Namespace) -> str:
    from kdsearch.remote.server import default_address

    return "" if options.address == default_address() else f" --address {options.address}"


def _write(text: str) -> None:
    print(text, end="", flush=True)
