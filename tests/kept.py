"""A small finished sweep, made once for all tests of what is done with a finished one."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from tests.e2e.harness import Workplace

COUNTS = (20, 50)


@functools.cache
def finished() -> Workplace:
    """Of digits, at two sample counts, its trials trained in packs, confirmed with three seeds; a Ray of its own."""
    folder = Path(tempfile.mkdtemp(prefix="kdsearch-kept-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    workplace = Workplace(folder, "local")
    words = ("confirm.seeds=3", "training.steps=100", "student.hidden=[16]", "resources.trials_per_worker=3")
    workplace.run(*workplace.sweep_words(*words), timeout=280)
    return workplace
