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
from kdsearch.report import figures
from kdsearch.report.content import Content
from kdsearch.report.document import content_document
from kdsearch.report.finite import finite
from kdsearch.report.html import report_html
from kdsearch.report.table import csv
from kdsearch.report.table import parquet
from kdsearch.report.table import trials_frame

if TYPE_CHECKING:
    from kdsearch.ledger.ledger import Ledger

HTML = "report.html"
PLOTS = "plots"
EMBEDDING = f"{PLOTS}/embedding.png"
"""A picture that others make; the page shows it where it is there."""


def write_report(sweep: SweepRecord, records: Sequence[TrialRecord], output: Path) -> Path:
    """Write the report into `output` (made when missing) and return its page, `report.html`.

    Beside it: `report.json`, `trials.csv`, `trials.parquet`, and the page's figures as `plots/<name>.png`. Each file is
    replaced as a whole, so a reader never sees half of one; the page comes last.
    """
    (output / PLOTS).mkdir(parents=True, exist_ok=True)
    content = Content.of(sweep, records)
    drawing = figures.draw(content)
    for picture in drawing.pictures:
        _replace(output / PLOTS / f"{picture.figure.name}.png", picture.png)
    for name in figures.NAMES - {picture.figure.name for picture in drawing.pictures}:
        (output / PLOTS / f"{name}.png").unlink(missing_ok=True)
    table = trials_frame(sweep, records)
    _replace(output / "trials.csv", csv(table).encode())
    _replace(output / "trials.parquet", parquet(table))
    document = json.dumps(finite(content_document(content)), indent=2, allow_nan=False) + "\n"
    _replace(output / "report.json", document.encode())
    embedding = output / EMBEDDING
    page = report_html(content, drawing, embedding.read_bytes() if embedding.is_file() else None)
    return _replace(output / HTML, page.encode())


def report_files(output: Path) -> list[Path]:
    """The files of a report, the page first."""
    files = sorted(file for file in output.rglob("*") if file.is_file() and not file.name.startswith("."))
    return sorted(files, key=lambda file: file != output / HTML)


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


def _replace(path: Path, content: bytes) -> Path:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(content)
    return part.replace(path)
