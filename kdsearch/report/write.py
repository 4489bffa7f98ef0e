"""Writes a sweep's report to a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.report.document import report_document
from kdsearch.report.html import report_html

if TYPE_CHECKING:
    from kdsearch.ledger.ledger import Ledger


def write_report(sweep: SweepRecord, records: Sequence[TrialRecord], output: Path) -> Path:
    """Write `report.json` and `report.html` into `output` (made when missing) and return the HTML file.

    Both are replaced as a whole, so a reader never sees half a report.
    """
    output.mkdir(parents=True, exist_ok=True)
    document = report_document(sweep, records)
    _replace(output / "report.json", json.dumps(document, indent=2, allow_nan=False) + "\n")
    return _replace(output / "report.html", report_html(sweep, records))


def write_ledger_report(ledger: Ledger, name: str, output: Path) -> Path:
    """`write_report` of a sweep by name.

    Raises:
        InputError: the ledger has no sweep of that name.
    """
    sweep = ledger.sweep(name)
    if sweep is None:
        known = ", ".join(sorted(sweep.name for sweep in ledger.sweeps())) or "none"
        raise InputError([Problem("name", name, f"no such sweep in the ledger; it has: {known}")])
    return write_report(sweep, ledger.trials(name), output)


def _replace(path: Path, text: str) -> Path:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    return part.replace(path)
