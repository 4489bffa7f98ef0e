"""`kdsearch status`.

`--json` and `--verify` ask MLflow too. Where it cannot be reached, `--json` alone has nulls and the reason, and
`--verify` fails. The exit code of `--verify` without `--json` is 1 where ledger and MLflow disagree.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.arguments import one_name
from kdsearch.cli.arguments import print_json
from kdsearch.cli.composed import named_config
from kdsearch.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kdsearch.ledger.records import SweepRecord
    from kdsearch.ledger.records import TrialRecord
    from kdsearch.tracking.verify import Agreement
    from kdsearch.tracking.verify import Unasked


def configure(parser: CommandParser) -> None:
    parser.add_words("NAME [storage=…] [ledger=…] [mlflow.tracking_uri=…]", compose=named_config)
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")
    parser.add_argument("--verify", action="store_true", help="compare ledger and MLflow one to one")


def run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from kdsearch.cli.lookup import find_ledger
    from kdsearch.cli.lookup import find_sweep
    from kdsearch.cli.lookup import tracking_uri
    from kdsearch.report.status import render_status
    from kdsearch.report.status import status

    name, overrides = one_name(options.words)
    locations, ledger = find_ledger(overrides)
    record = find_sweep(ledger, name)
    trials = ledger.trials(name)
    ledger.close()
    agreement: Agreement | Unasked | None = None
    if options.verify or options.json:
        agreement = _agreement(tracking_uri(record, locations, overrides), record, trials, must=options.verify)
    document = status(record, trials, agreement)
    if options.json:
        print_json(document)
    else:
        Console().print(render_status(document))
        if document["disagreements"]:
            return ExitCode.DISAGREEMENT
    return ExitCode.DONE


def _agreement(uri: str, sweep: SweepRecord, trials: Sequence[TrialRecord], *, must: bool) -> Agreement | Unasked:
    """What MLflow has of the sweep.

    Raises:
        TrackingUnavailable: it cannot be asked, and must be.
    """
    from kdsearch.tracking.environment import prepare_environment
    from kdsearch.tracking.verify import TrackingUnavailable
    from kdsearch.tracking.verify import Unasked
    from kdsearch.tracking.verify import compare

    prepare_environment()
    try:
        return compare(uri, sweep, trials)
    except TrackingUnavailable as error:
        if must:
            raise
        return Unasked(str(error))
