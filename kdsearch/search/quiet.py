"""Keep the terminal for what the user wants to see: everything else that is printed goes to the attempt's log file."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console


@contextlib.contextmanager
def output_to_log(path: Path, console: Console) -> Iterator[None]:
    """Send file descriptors 1 and 2 of this process, and kdsearch's log, to `path`; `console` keeps the terminal.

    Descriptors, because Ray, MLflow and native libraries print past `sys.stdout`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", buffering=1) as log, _logging_to(log):
        if not _writes_to_stdout(console):
            yield
            return
        sys.stdout.flush()
        sys.stderr.flush()
        terminal, errors = os.dup(1), os.dup(2)
        before = console.file
        try:
            console.file = os.fdopen(os.dup(terminal), "w", encoding="utf-8", errors="replace")
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(terminal, 1)
            os.dup2(errors, 2)
            console.file.close()
            console.file = before
            os.close(terminal)
            os.close(errors)


def _writes_to_stdout(console: Console) -> bool:
    try:
        return console.file is sys.stdout and sys.stdout.fileno() == 1
    except (io.UnsupportedOperation, ValueError):
        return False


@contextlib.contextmanager
def _logging_to(log: io.TextIOBase) -> Iterator[None]:
    logger = logging.getLogger("kdsearch")
    handler = logging.StreamHandler(log)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
